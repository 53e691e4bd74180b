local function dropWaiting(ref)
  redis.call('HDEL', waiting, ref)
  redis.call('HDEL', waitingOwner, ref)
  redis.call('ZREM', waitingUntil, ref)
  redis.call('ZREM', waitingOrder, ref)
end
