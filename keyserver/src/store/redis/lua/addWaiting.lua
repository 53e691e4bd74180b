#!lua
-- Puts a joiner on the list, unless it is full or the joiner has been added.
-- KEYS group trees treesUntil treesSeq waiting waitingOwner waitingUntil waitingOrder welcomes
--   welcomesUntil welcomesLeaf welcomesSeq refs
-- ARGV groupId ref keyPackage owner identity expiresAt limit now
-- RESULT 'waiting' position | 'welcomed' leaf seq welcome | 'used' | 'full' | 'group-unknown'
local
  group, trees, treesUntil, treesSeq, waiting, waitingOwner, waitingUntil, waitingOrder, welcomes,
  welcomesUntil, welcomesLeaf, welcomesSeq, refs
  = unpack(KEYS)
local groupId, ref, keyPackage, owner, identity, expiresAt, limit, now = unpack(ARGV)
--- @include forgetExpired
--- @include expireWithGroup

if redis.call('HGET', group, 'id') ~= groupId then return { 'group-unknown' } end
forgetExpired(now)
local welcome = redis.call('HGET', welcomes, ref)
if welcome then
  local leaf, seq = redis.call('ZSCORE', welcomesLeaf, ref), redis.call('ZSCORE', welcomesSeq, ref)
  return { 'welcomed', leaf, seq, welcome }
end
if redis.call('ZSCORE', refs, ref) then return { 'used' } end
local before = redis.call('HGET', waitingOwner, ref)
if before and string.match(before, '^%S+ (.*)$') ~= identity then return { 'used' } end
if not before then
  if redis.call('ZCARD', waitingOrder) >= tonumber(limit) then return { 'full' } end
  redis.call('HSET', waiting, ref, keyPackage)
  redis.call('ZADD', waitingUntil, expiresAt, ref)
  redis.call('ZADD', waitingOrder, redis.call('HINCRBY', group, 'places', 1), ref)
end
-- A joiner that reconnected keeps its place and its expiry; the new connection owns it.
redis.call('HSET', waitingOwner, ref, owner .. ' ' .. identity)
expireWithGroup(waiting, waitingOwner, waitingUntil, waitingOrder)
return { 'waiting', redis.call('ZRANK', waitingOrder, ref) }
