-- The ratchet tree with a hash, while it is kept for readers.
-- KEYS group trees treesUntil treesSeq waiting waitingOwner waitingUntil waitingOrder welcomes
--   welcomesUntil welcomesLeaf welcomesSeq refs
-- ARGV groupId treeHash now
-- RESULT ratchetTree | nothing
local
  group, trees, treesUntil, treesSeq, waiting, waitingOwner, waitingUntil, waitingOrder, welcomes,
  welcomesUntil, welcomesLeaf, welcomesSeq, refs
  = unpack(KEYS)
local groupId, treeHash, now = unpack(ARGV)
--- @include forgetExpired

if redis.call('HGET', group, 'id') ~= groupId then return false end
forgetExpired(now)
return redis.call('ZSCORE', treesUntil, treeHash) and redis.call('HGET', trees, treeHash)
