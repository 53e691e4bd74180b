local function dropWelcome(ref)
  redis.call('HDEL', welcomes, ref)
  for _, index in ipairs({ welcomesUntil, welcomesLeaf, welcomesSeq }) do
    redis.call('ZREM', index, ref)
  end
end

-- By leaf or by sequence number, whichever `index` is of.
local function dropWelcomesAt(index, score)
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', index, score, score)) do dropWelcome(ref) end
end
