#!lua
-- Compares the epoch and the log's end, appends, and takes back what the commit there had brought.
-- KEYS group log sizes snapshots commits statuses trees treesUntil treesSeq welcomes welcomesUntil
--   welcomesLeaf welcomesSeq rates attached connected due leaving requests paths offers
-- ARGV groupId epoch now voided message dueAt added removed
-- RESULT 'appended' seq | 'epoch-mismatch' epoch head | 'group-unknown'
local
  group, log, sizes, snapshots, commits, statuses, trees, treesUntil, treesSeq, welcomes,
  welcomesUntil, welcomesLeaf, welcomesSeq, rates, attached, connected, due, leaving, requests,
  paths, offers
  = unpack(KEYS)
local groupId, epoch, now, voided, message, dueAt, added, removed = unpack(ARGV)
--- @include append
--- @include changeMembers
--- @include dropTree
--- @include expireWithGroup

local id, current, head = unpack(redis.call('HMGET', group, 'id', 'epoch', 'head'))
if id ~= groupId then return { 'group-unknown' } end
if current ~= epoch or head ~= voided then return { 'epoch-mismatch', current, head } end

local seq = append(head, 'void', epoch, now, message)
redis.call('HINCRBY', group, 'epoch', -1)
redis.call('ZREM', commits, tonumber(epoch) - 1)
changeMembers(added, removed, dueAt, now)
dropWelcomesAt(welcomesSeq, voided)

local bySeq = redis.call('HGETALL', treesSeq)
for i = 1, #bySeq, 2 do
  if bySeq[i + 1] == voided then
    redis.call('HDEL', treesSeq, bySeq[i])
    redis.call('ZREM', treesUntil, bySeq[i])
    dropTree(bySeq[i])
  end
end
local state =
  redis.call('HMGET', group, 'snapshotSeq', 'snapshotTree', 'beforeSeq', 'beforeTree')
local snapshot, snapshotTree, before, beforeTree = unpack(state)
if snapshot == voided and before then
  redis.call('HDEL', snapshots, voided .. ':groupInfo', voided .. ':overdue')
  redis.call('HSET', group, 'snapshotSeq', before, 'snapshotTree', beforeTree)
  redis.call('HDEL', group, 'beforeSeq', 'beforeTree')
  dropTree(snapshotTree)
end
expireWithGroup(log, sizes, due, paths)
return { 'appended', seq }
