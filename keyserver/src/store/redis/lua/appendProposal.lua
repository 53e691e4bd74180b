#!lua
-- Compares the epoch and appends.
-- KEYS group log sizes statuses connected due leaving
-- ARGV groupId epoch now message goes
-- RESULT 'appended' seq | 'epoch-mismatch' epoch head | 'group-unknown'
local group, log, sizes, statuses, connected, due, leaving = unpack(KEYS)
local groupId, epoch, now, message, goes = unpack(ARGV)
--- @include append
--- @include isMember
--- @include expireWithGroup

local id, current, head = unpack(redis.call('HMGET', group, 'id', 'epoch', 'head'))
if id ~= groupId then return { 'group-unknown' } end
if current ~= epoch then return { 'epoch-mismatch', current, head } end
local seq = append(head, 'proposal', epoch, now, message)
if goes ~= '' and isMember(goes) then redis.call('SADD', leaving, goes) end
expireWithGroup(log, sizes, leaving)
return { 'appended', seq }
