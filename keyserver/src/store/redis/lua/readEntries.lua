-- The messages of a page of the log.
-- KEYS group log sizes
-- ARGV groupId after limit maxBytes
-- RESULT head trimmed messages | nothing
local group, log, sizes = unpack(KEYS)
local groupId, after, limit, maxBytes = unpack(ARGV)
--- @include pageOfLog

local id, head, trimmed = unpack(redis.call('HMGET', group, 'id', 'head', 'trimmed'))
if id ~= groupId then return false end
local messages = {}
for i, entry in ipairs(pageOfLog(head, trimmed, after, limit, maxBytes)) do
  -- After kind, epoch and time (append.lua).
  messages[i] = entry[2][8]
end
return { head, trimmed, messages }
