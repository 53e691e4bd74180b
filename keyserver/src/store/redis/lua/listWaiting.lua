-- Everybody who waits, longest first.
-- KEYS group trees treesUntil treesSeq waiting waitingOwner waitingUntil waitingOrder welcomes
--   welcomesUntil welcomesLeaf welcomesSeq refs
-- ARGV groupId now
-- RESULT of each: ref keyPackage owner until
local
  group, trees, treesUntil, treesSeq, waiting, waitingOwner, waitingUntil, waitingOrder, welcomes,
  welcomesUntil, welcomesLeaf, welcomesSeq, refs
  = unpack(KEYS)
local groupId, now = unpack(ARGV)
--- @include forgetExpired

if redis.call('HGET', group, 'id') ~= groupId then return {} end
forgetExpired(now)
local result = {}
for _, ref in ipairs(redis.call('ZRANGE', waitingOrder, 0, -1)) do
  result[#result + 1] = ref
  result[#result + 1] = redis.call('HGET', waiting, ref)
  result[#result + 1] = redis.call('HGET', waitingOwner, ref)
  result[#result + 1] = redis.call('ZSCORE', waitingUntil, ref)
end
return result
