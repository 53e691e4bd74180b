--- @include drop
local function forgetExpired(now)
  local expired = redis.call('ZRANGEBYSCORE', expiry, '-inf', now)
  for _, item in ipairs(expired) do drop(item) end
  for _, used in ipairs(redis.call('ZRANGEBYSCORE', claimed, '-inf', now)) do
    redis.call('ZREM', claimed, used)
    redis.call('HDEL', awaited, used)
  end
  return #expired
end
