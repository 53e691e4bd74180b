#!lua
-- A leaf is going until it is removed.
-- KEYS group connected due leaving
-- ARGV groupId leaf
-- RESULT nothing
local group, connected, due, leaving = unpack(KEYS)
local groupId, leaf = unpack(ARGV)
--- @include isMember
--- @include expireWithGroup

if redis.call('HGET', group, 'id') == groupId and isMember(leaf) then
  redis.call('SADD', leaving, leaf)
  expireWithGroup(leaving)
end
return false
