#!lua
-- Compares the epoch and the log's end, appends and advances the epoch, with all that comes with a
-- commit.
-- KEYS group log sizes snapshots commits statuses trees treesUntil treesSeq waiting waitingOwner
--   waitingUntil waitingOrder welcomes welcomesUntil welcomesLeaf welcomesSeq refs rates attached
--   connected due leaving requests paths offers
-- ARGV groupId epoch after now message groupInfo welcome committer often since dueAt joinedBy added
--   removed treeHash ratchetTree overdue treeUntil welcomeUntil refUntil retained wantedLeaves
--   wantedSuite validUntil, then of each part of the Welcome: ref leaf welcome
-- RESULT 'appended' seq, then of each who waited: ref keyPackage owner until | 'ref-used' |
--   'too-often' | 'offers-missing', then each leaf | 'epoch-mismatch' epoch head | 'group-unknown'
local
  group, log, sizes, snapshots, commits, statuses, trees, treesUntil, treesSeq, waiting,
  waitingOwner, waitingUntil, waitingOrder, welcomes, welcomesUntil, welcomesLeaf, welcomesSeq,
  refs, rates, attached, connected, due, leaving, requests, paths, offers
  = unpack(KEYS)
local
  groupId, epoch, after, now, message, groupInfo, welcome, committer, often, since, dueAt, joinedBy,
  added, removed, treeHash, ratchetTree, overdue, treeUntil, welcomeUntil, refUntil, retained,
  wantedLeaves, wantedSuite, validUntil
  = unpack(ARGV, 1, 24)
local firstPart = 25
--- @include append
--- @include forgetExpired
--- @include changeMembers
--- @include keepSnapshot
--- @include missingOffersOf
--- @include expireWithGroup

local id, current, head = unpack(redis.call('HMGET', group, 'id', 'epoch', 'head'))
if id ~= groupId then return { 'group-unknown' } end
if current ~= epoch or tonumber(head) < tonumber(after) then
  return { 'epoch-mismatch', current, head }
end

if wantedLeaves ~= '' then
  -- A removal that came meanwhile comes first.
  if head ~= after then return { 'epoch-mismatch', current, head } end
  local missing = missingOffersOf(wantedLeaves, wantedSuite, validUntil)
  if #missing > 0 then
    table.insert(missing, 1, 'offers-missing')
    return missing
  end
end

forgetExpired(now)
for i = firstPart, #ARGV, 3 do
  if redis.call('ZSCORE', refs, ARGV[i]) then return { 'ref-used' } end
end

local lately = {}
for at in string.gmatch(redis.call('HGET', rates, committer) or '', '%d+') do
  if tonumber(at) > tonumber(since) then lately[#lately + 1] = at end
end
if #lately >= tonumber(often) then return { 'too-often' } end
lately[#lately + 1] = now

local seq = append(head, 'commit', epoch, now, message, groupInfo, welcome ~= '' and welcome or nil)
redis.call('HINCRBY', group, 'epoch', 1)
redis.call('ZADD', commits, seq, epoch)
redis.call('ZADD', paths, now, committer)
changeMembers(removed, added, dueAt, now)
-- Whoever takes its own old leaf's place by an external commit has committed no less often.
redis.call('HSET', rates, committer, table.concat(lately, ' '))

local result = { 'appended', seq }
for i = firstPart, #ARGV, 3 do
  local ref, leaf, part = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local keyPackage = redis.call('HGET', waiting, ref)
  if keyPackage then
    result[#result + 1] = ref
    result[#result + 1] = keyPackage
    result[#result + 1] = redis.call('HGET', waitingOwner, ref)
    result[#result + 1] = redis.call('ZSCORE', waitingUntil, ref)
    dropWaiting(ref)
    redis.call('ZADD', due, joinedBy, leaf)
  end
  redis.call('ZADD', refs, refUntil, ref)
  redis.call('HSET', welcomes, ref, part)
  redis.call('ZADD', welcomesUntil, welcomeUntil, ref)
  redis.call('ZADD', welcomesLeaf, leaf, ref)
  redis.call('ZADD', welcomesSeq, seq, ref)
end
if treeHash ~= '' then
  redis.call('ZADD', treesUntil, treeUntil, treeHash)
  redis.call('HSET', treesSeq, treeHash, seq)
  keepSnapshot(seq, groupInfo, treeHash, ratchetTree, overdue, retained)
end
expireWithGroup(
  log, sizes, snapshots, commits, trees, treesUntil, treesSeq,
  welcomes, welcomesUntil, welcomesLeaf, welcomesSeq, refs, rates, due, paths
)
return result
