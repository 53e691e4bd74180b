-- Leaves without an offer that is wanted.
-- KEYS group offers
-- ARGV groupId wantedLeaves wantedSuite validUntil
-- RESULT of each: leaf | nothing
local group, offers = unpack(KEYS)
local groupId, wantedLeaves, wantedSuite, validUntil = unpack(ARGV)
--- @include missingOffersOf

if redis.call('HGET', group, 'id') ~= groupId then return false end
return missingOffersOf(wantedLeaves, wantedSuite, validUntil)
