-- Who is there, after taking away the connections of instances whose lease is over.
-- KEYS group attached connected leases due leaving requests paths
-- ARGV groupId now graceMs idleSince
-- RESULT expiresAt present overdue leaving nextDue ('' for never) requests idle | nothing
local group, attached, connected, leases, due, leaving, requests, paths = unpack(KEYS)
local groupId, now, graceMs, idleSince = unpack(ARGV)
--- @include detach
--- @include expireWithGroup

local id, expiresAt = unpack(redis.call('HMGET', group, 'id', 'expiresAt'))
if id ~= groupId then return false end
local over = redis.call('ZRANGEBYSCORE', leases, '-inf', now)
-- From now on: where nobody could reach the store, the instance may be there and say so at once.
local dueAt = tonumber(now) + tonumber(graceMs)
for _, instance in ipairs(over) do
  redis.call('ZREM', leases, instance)
  local all = redis.call('HGETALL', attached)
  for j = 1, #all, 2 do
    if string.match(all[j + 1], ' (.*)$') == instance then detach(all[j], dueAt) end
  end
end
if #over > 0 then expireWithGroup(due) end
local nextDue = redis.call('ZRANGEBYSCORE', due, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {
  expiresAt,
  redis.call('HKEYS', connected),
  redis.call('ZRANGEBYSCORE', due, '-inf', now),
  redis.call('SMEMBERS', leaving),
  nextDue[2] or '',
  redis.call('HGETALL', requests),
  redis.call('ZRANGEBYSCORE', paths, '-inf', idleSince),
}
