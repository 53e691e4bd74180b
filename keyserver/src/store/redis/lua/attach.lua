#!lua
-- Makes a connection speak for a leaf, and for no other any more.
-- KEYS group attached connected leases due
-- ARGV groupId connection instance leaf dueAt leaseUntil
-- RESULT 1 | 0
local group, attached, connected, leases, due = unpack(KEYS)
local groupId, connection, instance, leaf, dueAt, leaseUntil = unpack(ARGV)
--- @include isMember
--- @include detach
--- @include expireWithGroup

if redis.call('HGET', group, 'id') ~= groupId or not isMember(leaf) then return 0 end
redis.call('ZADD', leases, leaseUntil, instance)
expireWithGroup(leases)
local attachment = redis.call('HGET', attached, connection)
if attachment and string.match(attachment, '^%d+') == leaf then return 0 end
detach(connection, dueAt)
redis.call('HSET', attached, connection, leaf .. ' ' .. instance)
redis.call('HINCRBY', connected, leaf, 1)
redis.call('ZREM', due, leaf)
expireWithGroup(attached, connected, due)
return 1
