-- An instance is still there, and so are its connections.
-- KEYS group leases
-- ARGV groupId instance leaseUntil
-- RESULT nothing
local group, leases = unpack(KEYS)
local groupId, instance, leaseUntil = unpack(ARGV)

if redis.call('HGET', group, 'id') == groupId then
  redis.call('ZADD', leases, 'XX', leaseUntil, instance)
end
return false
