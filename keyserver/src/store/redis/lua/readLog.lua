-- A page of the log with all that came with its entries.
-- KEYS group log sizes
-- ARGV groupId after limit maxBytes
-- RESULT head trimmed entries (of XRANGE) | nothing
local group, log, sizes = unpack(KEYS)
local groupId, after, limit, maxBytes = unpack(ARGV)
--- @include pageOfLog

local id, head, trimmed = unpack(redis.call('HMGET', group, 'id', 'head', 'trimmed'))
if id ~= groupId then return false end
return { head, trimmed, pageOfLog(head, trimmed, after, limit, maxBytes) }
