local function dropOffer(leaf)
  local terms = redis.call('HGET', offers, leaf)
  if not terms then return end
  for name in string.gmatch(string.match(terms, '^%d+ %d+(.*)$'), '%x+') do
    redis.call('HDEL', offers, 'k' .. name)
  end
  redis.call('HDEL', offers, leaf, 'p' .. leaf)
end
