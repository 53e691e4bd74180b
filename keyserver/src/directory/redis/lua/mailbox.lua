-- The Welcomes that wait for a device, oldest first.
-- KEYS expiry order content claimed awaited
-- ARGV deviceName now
-- RESULT mail of each
local expiry, order, content, claimed, awaited = unpack(KEYS)
local deviceName, now = unpack(ARGV)
--- @include forgetExpired
--- @include devicesOf

forgetExpired(now)
local result = {}
for i, item in ipairs(deviceIn(devicesOf(), deviceName).mail) do
  result[i] = redis.call('HGET', content, item)
end
return result
