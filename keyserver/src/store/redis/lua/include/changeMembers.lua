--- @include dropWelcome
--- @include dropOffer
-- `gone` and `come` are leaf indices, separated by commas; keys count as new from an Add on.
local function changeMembers(gone, come, dueAt, now)
  local left = {}
  for leaf in string.gmatch(gone, '%d+') do
    dropWelcomesAt(welcomesLeaf, leaf)
    redis.call('ZREM', due, leaf)
    redis.call('SREM', leaving, leaf)
    redis.call('HDEL', requests, leaf)
    redis.call('ZREM', paths, leaf)
    redis.call('HDEL', rates, leaf)
    dropOffer(leaf)
    if redis.call('HDEL', connected, leaf) == 1 then left[leaf] = true end
  end
  if next(left) then
    local all = redis.call('HGETALL', attached)
    for i = 1, #all, 2 do
      if left[string.match(all[i + 1], '^%d+')] then redis.call('HDEL', attached, all[i]) end
    end
  end
  for leaf in string.gmatch(come, '%d+') do
    redis.call('ZADD', due, dueAt, leaf)
    redis.call('ZADD', paths, now, leaf)
  end
end
