-- The newest snapshot.
-- KEYS group snapshots trees
-- ARGV groupId
-- RESULT seq groupInfo treeHash ratchetTree overdue | nothing
local group, snapshots, trees = unpack(KEYS)
local groupId = unpack(ARGV)

local id, seq, treeHash = unpack(redis.call('HMGET', group, 'id', 'snapshotSeq', 'snapshotTree'))
if id ~= groupId then return false end
local
  groupInfo, overdue
  = unpack(redis.call('HMGET', snapshots, seq .. ':groupInfo', seq .. ':overdue'))
return { seq, groupInfo, treeHash, redis.call('HGET', trees, treeHash), overdue }
