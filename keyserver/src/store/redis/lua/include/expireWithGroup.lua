-- Whatever belongs to a group goes with it, by the server's own clock at the latest.
local function expireWithGroup(...)
  local left = redis.call('PTTL', group)
  for _, key in ipairs({ ... }) do
    if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, left) end
  end
end
