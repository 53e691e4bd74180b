local function drop(item)
  redis.call('ZREM', expiry, item)
  redis.call('ZREM', order, item)
  redis.call('HDEL', content, item)
end
