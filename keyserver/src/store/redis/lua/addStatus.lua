#!lua
-- Remembers how a member fared with the commit at the log's end; a leaf's first word counts.
-- KEYS group commits statuses
-- ARGV groupId seq leaf status signature
-- RESULT of each: leaf, status ('applied' | 'failed') and signature, with a blank between | nothing
local group, commits, statuses = unpack(KEYS)
local groupId, seq, leaf, status, signature = unpack(ARGV)
--- @include expireWithGroup

local id, epoch, head = unpack(redis.call('HMGET', group, 'id', 'epoch', 'head'))
if id ~= groupId or head ~= seq then return false end
if redis.call('ZSCORE', commits, tonumber(epoch) - 1) ~= seq then return false end
redis.call('HSETNX', statuses, leaf, status .. ' ' .. signature)
expireWithGroup(statuses)
return redis.call('HGETALL', statuses)
