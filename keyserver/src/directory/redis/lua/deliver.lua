-- Puts a Welcome into the mailbox of the device whose claimed KeyPackage it is for.
-- KEYS expiry order content claimed awaited
-- ARGV deviceName group ref expiresAt maxMail maxBytes now mail
-- RESULT 1 | 0 where none is awaited or it does not fit
local expiry, order, content, claimed, awaited = unpack(KEYS)
local deviceName, group, ref, expiresAt, maxMail, maxBytes, now, mail = unpack(ARGV)
--- @include forgetExpired
--- @include devicesOf
--- @include keep

forgetExpired(now)
local used = deviceName .. ' ' .. ref
local expected = redis.call('HGET', awaited, used)
if not expected then return 0 end

-- A last resort that is used again in the same group: the Welcome before is of no use.
local item = table.concat({ 'm', deviceName, group, ref }, ' ')
local count, bytes = 1, #mail
for _, other in ipairs(deviceIn(devicesOf(), deviceName).mail) do
  if other ~= item then
    count = count + 1
    bytes = bytes + redis.call('HSTRLEN', content, other)
  end
end
if count > tonumber(maxMail) or bytes > tonumber(maxBytes) then return 0 end

if expected == 'one' then redis.call('HDEL', awaited, used) end
keep(item, expiresAt, mail)
expireWithLast(now)
return 1
