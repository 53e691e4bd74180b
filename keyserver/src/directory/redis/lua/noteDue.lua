-- Remembers when an identity has something to sweep.
-- KEYS due
-- ARGV identity at keepFor
-- RESULT nothing
local due = unpack(KEYS)
local identity, at, keepFor = unpack(ARGV)

redis.call('ZADD', due, 'LT', at, identity)
redis.call('PEXPIRE', due, keepFor, 'NX')
redis.call('PEXPIRE', due, keepFor, 'GT')
return false
