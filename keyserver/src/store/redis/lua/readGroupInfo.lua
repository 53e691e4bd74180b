-- The newest epoch's GroupInfo, which came with the commit that began it or is in the snapshot.
-- KEYS group log snapshots commits
-- ARGV groupId
-- RESULT seq groupInfo | nothing
local group, log, snapshots, commits = unpack(KEYS)
local groupId = unpack(ARGV)

local state = redis.call('HMGET', group, 'id', 'epoch', 'snapshotSeq', 'firstEpoch')
local id, epoch, snapshot, firstEpoch = unpack(state)
if id ~= groupId then return false end
local seq = epoch == (firstEpoch or '0') and '0' or redis.call('ZSCORE', commits, tonumber(epoch) - 1)
if not seq then return false end
if seq == snapshot then return { seq, redis.call('HGET', snapshots, seq .. ':groupInfo') } end
local entry = redis.call('XRANGE', log, seq .. '-0', seq .. '-0')[1]
if not entry then return false end
local fields = entry[2]
for i = 1, #fields, 2 do
  if fields[i] == 'groupInfo' then return { seq, fields[i + 1] } end
end
return false
