#!lua
-- Compares the epoch and the log's end, and appends entries that the log had lost.
-- KEYS group log sizes snapshots commits statuses trees treesUntil welcomes welcomesUntil
--   welcomesLeaf welcomesSeq rates attached connected due leaving requests paths offers
-- ARGV groupId epoch after epochAfter now dueAt committers added removed snapshotSeq groupInfo
--   treeHash ratchetTree overdue retained, then of each entry: kind epoch at message uploaded ('' | 'info' | 'welcome')
--   groupInfo welcome
-- RESULT 'appended' seq | 'epoch-mismatch' epoch head | 'group-unknown'
local
  group, log, sizes, snapshots, commits, statuses, trees, treesUntil, welcomes, welcomesUntil,
  welcomesLeaf, welcomesSeq, rates, attached, connected, due, leaving, requests, paths, offers
  = unpack(KEYS)
local
  groupId, epoch, after, epochAfter, now, dueAt, committers, added, removed, snapshotSeq, groupInfo,
  treeHash, ratchetTree, overdue, retained
  = unpack(ARGV, 1, 15)
local firstRecord = 16
--- @include append
--- @include changeMembers
--- @include keepSnapshot
--- @include expireWithGroup

local id, current, head = unpack(redis.call('HMGET', group, 'id', 'epoch', 'head'))
if id ~= groupId then return { 'group-unknown' } end
if current ~= epoch or head ~= after then return { 'epoch-mismatch', current, head } end

for i = firstRecord, #ARGV, 7 do
  local kind, madeIn, at, message, uploaded, info, welcome = unpack(ARGV, i, i + 6)
  head = append(
    head, kind, madeIn, at, message,
    uploaded ~= '' and info or nil, uploaded == 'welcome' and welcome or nil
  )
  if kind == 'commit' then redis.call('ZADD', commits, head, madeIn) end
  if kind == 'void' then redis.call('ZREM', commits, tonumber(madeIn) - 1) end
end
redis.call('HSET', group, 'epoch', epochAfter)
for leaf in string.gmatch(committers, '%d+') do redis.call('ZADD', paths, now, leaf) end
changeMembers(removed, added, dueAt, now)
keepSnapshot(snapshotSeq, groupInfo, treeHash, ratchetTree, overdue, retained)
expireWithGroup(log, sizes, snapshots, commits, trees, due, paths)
return { 'appended', tonumber(head) }
