-- Identities that have something to sweep; whoever takes one puts it back when it has more.
-- KEYS due
-- ARGV now limit
-- RESULT identities
local due = unpack(KEYS)
local now, limit = unpack(ARGV)

local identities = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)
if #identities > 0 then redis.call('ZREM', due, unpack(identities)) end
return identities
