-- The messages of a page of the log of the group before the meeting's, while it is kept.
-- KEYS past pastLog pastSizes
-- ARGV groupId after limit maxBytes now
-- RESULT head trimmed messages | nothing
local past, pastLog, pastSizes = unpack(KEYS)
local groupId, after, limit, maxBytes, now = unpack(ARGV)
local log, sizes = pastLog, pastSizes
--- @include pageOfLog

local state = redis.call('HMGET', past, 'id', 'head', 'trimmed', 'until')
local id, head, trimmed, keptUntil = unpack(state)
if id ~= groupId or tonumber(keptUntil) <= tonumber(now) then return false end
local messages = {}
for i, entry in ipairs(pageOfLog(head, trimmed, after, limit, maxBytes)) do
  -- After kind, epoch and time (append.lua).
  messages[i] = entry[2][8]
end
return { head, trimmed, messages }
