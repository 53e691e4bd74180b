-- Forgets the Welcome of whoever was added at a leaf.
-- KEYS group welcomes welcomesUntil welcomesLeaf welcomesSeq
-- ARGV groupId leaf
-- RESULT nothing
local group, welcomes, welcomesUntil, welcomesLeaf, welcomesSeq = unpack(KEYS)
local groupId, leaf = unpack(ARGV)
--- @include dropWelcome

if redis.call('HGET', group, 'id') == groupId then dropWelcomesAt(welcomesLeaf, leaf) end
return false
