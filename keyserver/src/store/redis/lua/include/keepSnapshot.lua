--- @include dropTree
-- The log goes only as far back as the snapshot before: a commit with a snapshot may be undone.
local function trim(kept, retained)
  local state = redis.call('HMGET', group, 'trimmed', 'bytes')
  local before, bytes = tonumber(state[1]), tonumber(state[2])
  local trimmed = before
  while bytes > retained and trimmed < kept do
    bytes = bytes - tonumber(redis.call('LPOP', sizes))
    trimmed = trimmed + 1
  end
  if trimmed == before then return end
  redis.call('XTRIM', log, 'MINID', (trimmed + 1) .. '-0')
  redis.call('ZREMRANGEBYSCORE', commits, '-inf', trimmed)
  redis.call('HSET', group, 'trimmed', trimmed, 'bytes', bytes)
end

local function keepSnapshot(seq, groupInfo, treeHash, ratchetTree, overdue, retained)
  local state = redis.call('HMGET', group, 'snapshotSeq', 'snapshotTree', 'beforeSeq', 'beforeTree')
  local last, lastTree, before, beforeTree = unpack(state)
  redis.call('HSET', snapshots, seq .. ':groupInfo', groupInfo, seq .. ':overdue', overdue)
  redis.call('HSET', trees, treeHash, ratchetTree)
  redis.call('HSET', group, 'snapshotSeq', seq, 'snapshotTree', treeHash)
  redis.call('HSET', group, 'beforeSeq', last, 'beforeTree', lastTree)
  if before then
    redis.call('HDEL', snapshots, before .. ':groupInfo', before .. ':overdue')
    dropTree(beforeTree)
  end
  trim(tonumber(last), tonumber(retained))
end
