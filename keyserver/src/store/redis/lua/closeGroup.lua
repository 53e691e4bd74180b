-- Forgets a group and all that belongs to it.
-- KEYS group log sizes snapshots commits statuses trees treesUntil treesSeq waiting waitingOwner
--   waitingUntil waitingOrder welcomes welcomesUntil welcomesLeaf welcomesSeq refs rates attached
--   connected leases due leaving requests paths offers past pastLog pastSizes
-- ARGV groupId
-- RESULT 'closed' | 'group-unknown'
local group = unpack(KEYS)
local groupId = unpack(ARGV)

if redis.call('HGET', group, 'id') ~= groupId then return { 'group-unknown' } end
redis.call('UNLINK', unpack(KEYS))
return { 'closed' }
