#!lua
-- Puts a meeting and its group on the list of meetings.
-- KEYS meetings
-- ARGV member keepFor
-- RESULT nothing
local meetings = unpack(KEYS)
local member, keepFor = unpack(ARGV)

redis.call('ZADD', meetings, 0, member)
redis.call('PEXPIRE', meetings, keepFor, 'NX')
redis.call('PEXPIRE', meetings, keepFor, 'GT')
return false
