#!lua
-- Gives the meeting a group, unless it has one.
-- KEYS group log sizes snapshots commits statuses trees treesUntil treesSeq waiting waitingOwner
--   waitingUntil waitingOrder welcomes welcomesUntil welcomesLeaf welcomesSeq refs rates attached
--   connected leases due leaving requests paths offers past pastLog pastSizes
-- ARGV groupId groupInfo treeHash ratchetTree overdue now dueAt expiresAt keepFor
-- RESULT 'created' | 'exists' groupId epoch head foundedBy
local
  group, log, sizes, snapshots, commits, statuses, trees, treesUntil, treesSeq, waiting,
  waitingOwner, waitingUntil, waitingOrder, welcomes, welcomesUntil, welcomesLeaf, welcomesSeq,
  refs, rates, attached, connected, leases, due, leaving, requests, paths
  = unpack(KEYS)
local
  groupId, groupInfo, treeHash, ratchetTree, overdue, now, dueAt, expiresAt, keepFor
  = unpack(ARGV)
--- @include expireWithGroup

local existing = redis.call('HMGET', group, 'id', 'epoch', 'head', 'foundedBy')
if existing[1] then return { 'exists', unpack(existing) } end
-- Another group's remains, where its keys did not expire in the same millisecond.
redis.call('UNLINK', unpack(KEYS))
redis.call(
  'HSET', group,
  'id', groupId, 'foundedBy', groupInfo, 'expiresAt', expiresAt,
  'epoch', 0, 'head', 0, 'trimmed', 0, 'bytes', 0, 'places', 0,
  'snapshotSeq', 0, 'snapshotTree', treeHash
)
redis.call('PEXPIRE', group, keepFor)
redis.call('HSET', snapshots, '0:groupInfo', groupInfo, '0:overdue', overdue)
redis.call('HSET', trees, treeHash, ratchetTree)
redis.call('ZADD', due, dueAt, 0)
redis.call('ZADD', paths, now, 0)
expireWithGroup(snapshots, trees, due, paths)
return { 'created' }
