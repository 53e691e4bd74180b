-- Deletes all that a device or, without one, an identity has.
-- KEYS expiry order content claimed awaited
-- ARGV deviceName
-- RESULT nothing
local expiry, order, content, claimed, awaited = unpack(KEYS)
local deviceName = unpack(ARGV)
--- @include drop

if deviceName == '' then
  redis.call('DEL', unpack(KEYS))
  return false
end
for _, item in ipairs(redis.call('ZRANGE', order, 0, -1)) do
  if string.match(item, '^%a (%x*) ') == deviceName then drop(item) end
end
for _, used in ipairs(redis.call('ZRANGE', claimed, 0, -1)) do
  if string.match(used, '^(%x*) ') == deviceName then
    redis.call('ZREM', claimed, used)
    redis.call('HDEL', awaited, used)
  end
end
return false
