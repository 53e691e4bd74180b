--- @include dropWaiting
--- @include dropWelcome
--- @include dropTree
local function forgetExpired(now)
  local function expired(index) return ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now)) end
  for _, ref in expired(waitingUntil) do dropWaiting(ref) end
  for _, ref in expired(welcomesUntil) do dropWelcome(ref) end
  redis.call('ZREMRANGEBYSCORE', refs, '-inf', now)
  for _, hash in expired(treesUntil) do
    local seq = redis.call('HGET', treesSeq, hash)
    if redis.call('ZCOUNT', welcomesSeq, seq, seq) == 0 then
      redis.call('ZREM', treesUntil, hash)
      redis.call('HDEL', treesSeq, hash)
      dropTree(hash)
    end
  end
end
