-- The commit that ended an epoch.
-- KEYS group log commits
-- ARGV groupId epoch
-- RESULT entries (of XRANGE) | nothing
local group, log, commits = unpack(KEYS)
local groupId, epoch = unpack(ARGV)

if redis.call('HGET', group, 'id') ~= groupId then return false end
local seq = redis.call('ZSCORE', commits, epoch)
if not seq then return false end
return redis.call('XRANGE', log, seq .. '-0', seq .. '-0')
