#!lua
-- A leaf is going until it is removed; what asked for it first is remembered.
-- KEYS group connected due leaving requests
-- ARGV groupId leaf envelope
-- RESULT nothing
local group, connected, due, leaving, requests = unpack(KEYS)
local groupId, leaf, envelope = unpack(ARGV)
--- @include isMember
--- @include expireWithGroup

if redis.call('HGET', group, 'id') == groupId and isMember(leaf) then
  if redis.call('SADD', leaving, leaf) == 1 then redis.call('HSET', requests, leaf, envelope) end
  expireWithGroup(leaving, requests)
end
return false
