-- A joiner's own part of a Welcome.
-- KEYS group trees treesUntil treesSeq waiting waitingOwner waitingUntil waitingOrder welcomes
--   welcomesUntil welcomesLeaf welcomesSeq refs
-- ARGV groupId ref now
-- RESULT leaf seq welcome | nothing
local
  group, trees, treesUntil, treesSeq, waiting, waitingOwner, waitingUntil, waitingOrder, welcomes,
  welcomesUntil, welcomesLeaf, welcomesSeq, refs
  = unpack(KEYS)
local groupId, ref, now = unpack(ARGV)
--- @include forgetExpired

if redis.call('HGET', group, 'id') ~= groupId then return false end
forgetExpired(now)
local welcome = redis.call('HGET', welcomes, ref)
if not welcome then return false end
return { redis.call('ZSCORE', welcomesLeaf, ref), redis.call('ZSCORE', welcomesSeq, ref), welcome }
