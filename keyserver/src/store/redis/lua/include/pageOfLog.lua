-- A page of the log, as XRANGE gives it. It ends before the entry that would bring it beyond
-- `maxBytes`.
local function pageOfLog(head, trimmed, after, limit, maxBytes)
  -- Lua writes large numbers with an exponent, which no command takes.
  if tonumber(after) >= tonumber(head) then return {} end
  local skipped = math.max(0, tonumber(after) - tonumber(trimmed))
  local fitting, bytes = 0, 0
  for _, size in ipairs(redis.call('LRANGE', sizes, skipped, skipped + tonumber(limit) - 1)) do
    bytes = bytes + tonumber(size)
    if fitting > 0 and bytes > tonumber(maxBytes) then break end
    fitting = fitting + 1
  end
  if fitting == 0 then return {} end
  return redis.call('XRANGE', log, (tonumber(after) + 1) .. '-0', '+', 'COUNT', fitting)
end
