-- Adds KeyPackages of a device, unless a limit would be passed.
-- KEYS expiry order content claimed awaited
-- ARGV deviceName now perDevice perIdentity maxDevices lastRef lastUntil lastResort, then of each KeyPackage: ref until keyPackage
-- RESULT remaining lastResort | nothing
local expiry, order, content, claimed, awaited = unpack(KEYS)
local deviceName, now, perDevice, perIdentity, maxDevices, lastRef, lastUntil, lastResort = unpack(ARGV, 1, 8)
local firstPackage = 9
--- @include forgetExpired
--- @include devicesOf
--- @include keep

forgetExpired(now)
local devices = devicesOf()
local publishing, remembered = 0, redis.call('ZCARD', claimed)
for _, device in pairs(devices) do
  if #device.packages > 0 or device.last then publishing = publishing + 1 end
  remembered = remembered + #device.packages + (device.last and 1 or 0)
end

local own = deviceIn(devices, deviceName)
local fresh, seen = {}, {}
for i = firstPackage, #ARGV, 3 do
  local ref = ARGV[i]
  local item = 'k ' .. deviceName .. ' ' .. ref
  if
    not seen[ref]
    and not redis.call('ZSCORE', expiry, item)
    and not redis.call('ZSCORE', claimed, deviceName .. ' ' .. ref)
  then
    seen[ref] = true
    table.insert(fresh, i)
  end
end

local added = #fresh + ((lastRef ~= '' and not own.last) and 1 or 0)
if #own.packages == 0 and not own.last and added > 0 then publishing = publishing + 1 end
if #own.packages + #fresh > tonumber(perDevice) then return false end
if publishing > tonumber(maxDevices) then return false end
if added > 0 and remembered + added > tonumber(perIdentity) then return false end

for _, i in ipairs(fresh) do keep('k ' .. deviceName .. ' ' .. ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
if lastRef ~= '' then
  if own.last then drop(own.last) end
  keep('l ' .. deviceName .. ' ' .. lastRef, lastUntil, lastResort)
end
expireWithLast(now)
return { #own.packages + #fresh, (own.last or lastRef ~= '') and 1 or 0 }
