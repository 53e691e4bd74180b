#!lua
-- Compares the epoch and remembers what a leaf offers, in place of what it offered before.
-- KEYS group offers
-- ARGV groupId epoch leaf cipherSuite expires names keyPackage final wantedLeaves wantedSuite
--   validUntil
-- RESULT 'offered', then each leaf that is missing | 'key-taken' | 'offered-before' |
--   'epoch-mismatch' epoch head | 'group-unknown'
local group, offers = unpack(KEYS)
local
  groupId, epoch, leaf, cipherSuite, expires, names, keyPackage, final, wantedLeaves, wantedSuite,
  validUntil
  = unpack(ARGV)
--- @include missingOffersOf
--- @include dropOffer
--- @include expireWithGroup

local id, current, head = unpack(redis.call('HMGET', group, 'id', 'epoch', 'head'))
if id ~= groupId then return { 'group-unknown' } end
if current ~= epoch then return { 'epoch-mismatch', current, head } end
if final == '1' and isWanted(redis.call('HGET', offers, leaf), wantedSuite, validUntil) then
  if redis.call('HGET', offers, 'p' .. leaf) ~= keyPackage then return { 'offered-before' } end
end
for name in string.gmatch(names, '%x+') do
  local owner = redis.call('HGET', offers, 'k' .. name)
  if owner and owner ~= leaf then return { 'key-taken' } end
end
dropOffer(leaf)
for name in string.gmatch(names, '%x+') do redis.call('HSET', offers, 'k' .. name, leaf) end
redis.call(
  'HSET', offers, leaf, cipherSuite .. ' ' .. expires .. ' ' .. names, 'p' .. leaf, keyPackage
)
expireWithGroup(offers)
local missing = missingOffersOf(wantedLeaves, wantedSuite, validUntil)
table.insert(missing, 1, 'offered')
return missing
