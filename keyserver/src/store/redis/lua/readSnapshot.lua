-- The newest snapshot that is not of a commit at the log's end.
-- KEYS group snapshots trees
-- ARGV groupId
-- RESULT seq groupInfo treeHash ratchetTree overdue | nothing
local group, snapshots, trees = unpack(KEYS)
local groupId = unpack(ARGV)

local
  id, head, seq, treeHash, beforeSeq, beforeTree
  = unpack(redis.call(
    'HMGET', group, 'id', 'head', 'snapshotSeq', 'snapshotTree', 'beforeSeq', 'beforeTree'
  ))
if id ~= groupId then return false end
if seq == head and beforeSeq then seq, treeHash = beforeSeq, beforeTree end
local
  groupInfo, overdue
  = unpack(redis.call('HMGET', snapshots, seq .. ':groupInfo', seq .. ':overdue'))
return { seq, groupInfo, treeHash, redis.call('HGET', trees, treeHash), overdue }
