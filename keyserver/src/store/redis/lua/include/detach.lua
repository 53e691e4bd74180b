-- Where it was the leaf's last connection, the leaf is overdue from `dueAt` on.
local function detach(connection, dueAt)
  local attachment = redis.call('HGET', attached, connection)
  if not attachment then return false end
  local leaf = string.match(attachment, '^%d+')
  redis.call('HDEL', attached, connection)
  if redis.call('HINCRBY', connected, leaf, -1) == 0 then
    redis.call('HDEL', connected, leaf)
    redis.call('ZADD', due, dueAt, leaf)
  end
  return true
end
