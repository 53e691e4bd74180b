-- A leaf has a connection or a time from which it will be overdue.
local function isMember(leaf)
  return redis.call('HEXISTS', connected, leaf) == 1 or redis.call('ZSCORE', due, leaf) ~= false
end
