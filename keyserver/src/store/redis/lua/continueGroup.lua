#!lua
-- Compares the epoch and the log's end, and gives the meeting another group in place of this one.
-- KEYS group log sizes snapshots commits statuses trees treesUntil treesSeq waiting waitingOwner
--   waitingUntil waitingOrder welcomes welcomesUntil welcomesLeaf welcomesSeq refs rates attached
--   connected leases due leaving requests paths offers past pastLog pastSizes
-- ARGV groupId epoch last next firstEpoch now dueAt joinedBy groupInfo treeHash ratchetTree places
--   treeUntil welcomeUntil refUntil pastUntil pastFor, then of each part of the Welcome: ref leaf
--   welcome
-- RESULT 'continued' keepFor, then of each who was there: connection, leaf and instance |
--   'epoch-mismatch' epoch head | 'group-unknown'
local
  group, log, sizes, snapshots, commits, statuses, trees, treesUntil, treesSeq, waiting,
  waitingOwner, waitingUntil, waitingOrder, welcomes, welcomesUntil, welcomesLeaf, welcomesSeq,
  refs, rates, attached, connected, leases, due, leaving, requests, paths, offers, past, pastLog,
  pastSizes
  = unpack(KEYS)
local
  groupId, epoch, last, next, firstEpoch, now, dueAt, joinedBy, groupInfo, treeHash, ratchetTree,
  places, treeUntil, welcomeUntil, refUntil, pastUntil, pastFor
  = unpack(ARGV, 1, 17)
local firstPart = 18
--- @include expireWithGroup

local state = redis.call('HMGET', group, 'id', 'epoch', 'head', 'trimmed', 'expiresAt', 'past')
local id, current, head, trimmed, expiresAt, ids = unpack(state)
if id ~= groupId then return { 'group-unknown' } end
if current ~= epoch or head ~= last then return { 'epoch-mismatch', current, head } end

local keepFor = redis.call('PTTL', group)
local there = redis.call('HGETALL', attached)
local moving = {}
for was, is, said in string.gmatch(places, '(%d+) (%d+) (%x+)') do
  moving[#moving + 1] = {
    leaf = is,
    due = redis.call('HEXISTS', connected, was) == 1 and joinedBy or dueAt,
    goes = redis.call('SISMEMBER', leaving, was) == 1,
    asked = redis.call('HEXISTS', requests, was) == 1,
    envelope = string.gsub(said, '%x%x', function(hex) return string.char(tonumber(hex, 16)) end),
  }
end

-- What has ended stays a while for those who have missed the end of it.
redis.call('UNLINK', past, pastLog, pastSizes)
redis.call('HSET', past, 'id', id, 'head', head, 'trimmed', trimmed, 'until', pastUntil)
redis.call('PEXPIRE', past, pastFor)
for from, to in pairs({ [log] = pastLog, [sizes] = pastSizes }) do
  if redis.call('EXISTS', from) == 1 then
    redis.call('RENAME', from, to)
    redis.call('PEXPIRE', to, pastFor)
  end
end
redis.call(
  'UNLINK', group, snapshots, commits, statuses, trees, treesUntil, treesSeq, waiting,
  waitingOwner, waitingUntil, waitingOrder, welcomes, welcomesUntil, welcomesLeaf, welcomesSeq,
  refs, rates, attached, connected, leases, due, leaving, requests, paths, offers
)

local hex = string.gsub(id, '.', function(byte) return string.format('%02x', string.byte(byte)) end)
local continued = { hex }
for one in string.gmatch(ids or '', '%x+') do
  if #continued < 16 then continued[#continued + 1] = one end
end
redis.call(
  'HSET', group,
  'id', next, 'foundedBy', groupInfo, 'expiresAt', expiresAt, 'past', table.concat(continued, ' '),
  'epoch', firstEpoch, 'firstEpoch', firstEpoch, 'head', 0, 'trimmed', 0, 'bytes', 0, 'places', 0,
  'snapshotSeq', 0, 'snapshotTree', treeHash
)
if keepFor > 0 then redis.call('PEXPIRE', group, keepFor) end
redis.call('HSET', snapshots, '0:groupInfo', groupInfo, '0:overdue', '')
redis.call('HSET', trees, treeHash, ratchetTree)
redis.call('ZADD', treesUntil, treeUntil, treeHash)
redis.call('HSET', treesSeq, treeHash, 0)
for _, member in ipairs(moving) do
  redis.call('ZADD', due, member.due, member.leaf)
  redis.call('ZADD', paths, now, member.leaf)
  if member.goes then redis.call('SADD', leaving, member.leaf) end
  if member.goes and member.asked then redis.call('HSET', requests, member.leaf, member.envelope) end
end
for i = firstPart, #ARGV, 3 do
  local ref, leaf, part = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  redis.call('ZADD', refs, refUntil, ref)
  redis.call('HSET', welcomes, ref, part)
  redis.call('ZADD', welcomesUntil, welcomeUntil, ref)
  redis.call('ZADD', welcomesLeaf, leaf, ref)
  redis.call('ZADD', welcomesSeq, 0, ref)
end
expireWithGroup(
  snapshots, trees, treesUntil, treesSeq, welcomes, welcomesUntil, welcomesLeaf, welcomesSeq, refs,
  due, leaving, requests, paths
)
local result = { 'continued', keepFor }
for _, item in ipairs(there) do result[#result + 1] = item end
return result
