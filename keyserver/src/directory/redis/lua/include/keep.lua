-- Last in order; everything goes with what expires last, by the server's own clock at the latest.
local function keep(item, expiresAt, bytes)
  local newest = redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')
  redis.call('ZADD', expiry, expiresAt, item)
  redis.call('ZADD', order, newest[2] and newest[2] + 1 or 0, item)
  redis.call('HSET', content, item, bytes)
end
local function expireWithLast(now)
  local last = tonumber(now)
  for _, index in ipairs({ expiry, claimed }) do
    local newest = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
    if newest[2] then last = math.max(last, tonumber(newest[2])) end
  end
  for _, key in ipairs({ expiry, order, content, claimed, awaited }) do
    redis.call('PEXPIRE', key, last - tonumber(now))
  end
end
