-- Trees are stored once: for whoever reads them by hash until their time is over, and for the
-- snapshots.
local function dropTree(hash)
  local kept = redis.call('HMGET', group, 'snapshotTree', 'beforeTree')
  if hash == kept[1] or hash == kept[2] or redis.call('ZSCORE', treesUntil, hash) then return end
  redis.call('HDEL', trees, hash)
end
