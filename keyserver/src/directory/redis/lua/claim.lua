-- Takes the oldest KeyPackage of each device, or hands out its last resort.
-- KEYS expiry order content claimed awaited claims
-- ARGV now allowed perMs claimedMs
-- RESULT 'claimed', then of each device: device ref until keyPackage remaining lastResort | 'too-often'
local expiry, order, content, claimed, awaited, claims = unpack(KEYS)
local now, allowed, perMs, claimedMs = unpack(ARGV)
--- @include forgetExpired
--- @include devicesOf
--- @include keep

forgetExpired(now)
local result = { 'claimed' }
for name, device in pairs(devicesOf()) do
  local item = device.packages[1] or device.last
  if item then
    local ref = string.match(item, '%x+$')
    local expiresAt = redis.call('ZSCORE', expiry, item)
    local left = #device.packages - (device.packages[1] and 1 or 0)
    for _, value in ipairs({ name, ref, expiresAt, redis.call('HGET', content, item), left, device.last and 1 or 0 }) do
      table.insert(result, value)
    end
  end
end
if #result == 1 then return result end

-- The oldest claim that still counts is the one `allowed` places from the list's end.
local oldest = redis.call('LINDEX', claims, -allowed)
if oldest and tonumber(oldest) > now - perMs then return { 'too-often' } end
redis.call('RPUSH', claims, now)
redis.call('LTRIM', claims, -allowed, -1)
redis.call('PEXPIRE', claims, perMs)

for i = 2, #result, 6 do
  local name, ref, expiresAt = result[i], result[i + 1], result[i + 2]
  local used = name .. ' ' .. ref
  local item = 'k ' .. used
  local single = redis.call('ZSCORE', expiry, item)
  if single then drop(item) end
  redis.call('ZADD', claimed, expiresAt + claimedMs, used)
  redis.call('HSET', awaited, used, single and 'one' or 'any-number')
end
expireWithLast(now)
return result
