-- What a device has that nobody has claimed.
-- KEYS expiry order content claimed awaited
-- ARGV device now
-- RESULT remaining lastResort
local expiry, order, content, claimed, awaited = unpack(KEYS)
local name, now = unpack(ARGV)
--- @include forgetExpired
--- @include devicesOf

forgetExpired(now)
local device = deviceIn(devicesOf(), name)
return { #device.packages, device.last and 1 or 0 }
