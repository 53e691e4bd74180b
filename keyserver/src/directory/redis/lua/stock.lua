-- What a device has that nobody has claimed.
-- KEYS expiry order content claimed awaited
-- ARGV deviceName now
-- RESULT remaining lastResort
local expiry, order, content, claimed, awaited = unpack(KEYS)
local deviceName, now = unpack(ARGV)
--- @include forgetExpired
--- @include devicesOf

forgetExpired(now)
local device = deviceIn(devicesOf(), deviceName)
return { #device.packages, device.last and 1 or 0 }
