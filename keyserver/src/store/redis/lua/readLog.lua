-- A page of the log. It ends before the entry that would bring it beyond `maxBytes`.
-- KEYS group log sizes
-- ARGV groupId after limit maxBytes
-- RESULT head trimmed entries (of XRANGE) | nothing
local group, log, sizes = unpack(KEYS)
local groupId, after, limit, maxBytes = unpack(ARGV)

local id, head, trimmed = unpack(redis.call('HMGET', group, 'id', 'head', 'trimmed'))
if id ~= groupId then return false end
-- Lua writes large numbers with an exponent, which no command takes.
if tonumber(after) >= tonumber(head) then return { head, trimmed, {} } end
local skipped = math.max(0, tonumber(after) - tonumber(trimmed))
local fitting, bytes = 0, 0
for _, size in ipairs(redis.call('LRANGE', sizes, skipped, skipped + tonumber(limit) - 1)) do
  bytes = bytes + tonumber(size)
  if fitting > 0 and bytes > tonumber(maxBytes) then break end
  fitting = fitting + 1
end
local entries = {}
if fitting > 0 then
  entries = redis.call('XRANGE', log, (tonumber(after) + 1) .. '-0', '+', 'COUNT', fitting)
end
return { head, trimmed, entries }
