-- Deletes what an identity has that has expired.
-- KEYS expiry order content claimed awaited
-- ARGV now
-- RESULT count, and where something is left, when the next expires
local expiry, order, content, claimed, awaited = unpack(KEYS)
local now = unpack(ARGV)
--- @include forgetExpired

local result = { forgetExpired(now) }
for _, index in ipairs({ expiry, claimed }) do
  local first = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]
  if first and (not result[2] or tonumber(first) < tonumber(result[2])) then result[2] = first end
end
return result
