-- An instance is still there, and so are its connections.
-- KEYS group leases
-- ARGV groupId instance leaseUntil
-- RESULT 1 | 0 where the lease is over
local group, leases = unpack(KEYS)
local groupId, instance, leaseUntil = unpack(ARGV)

if redis.call('HGET', group, 'id') ~= groupId then return 0 end
if not redis.call('ZSCORE', leases, instance) then return 0 end
redis.call('ZADD', leases, leaseUntil, instance)
return 1
