-- A connection does not speak for its leaf any more.
-- KEYS group attached connected due
-- ARGV groupId connection dueAt
-- RESULT 1 | 0
local group, attached, connected, due = unpack(KEYS)
local groupId, connection, dueAt = unpack(ARGV)
--- @include detach
--- @include expireWithGroup

if redis.call('HGET', group, 'id') ~= groupId or not detach(connection, dueAt) then return 0 end
expireWithGroup(due)
return 1
