-- Takes a joiner off the list, where the connection owns its place.
-- KEYS group waiting waitingOwner waitingUntil waitingOrder
-- ARGV groupId ref owner
-- RESULT 1 | 0
local group, waiting, waitingOwner, waitingUntil, waitingOrder = unpack(KEYS)
local groupId, ref, owner = unpack(ARGV)
--- @include dropWaiting

if redis.call('HGET', group, 'id') ~= groupId then return 0 end
if string.match(redis.call('HGET', waitingOwner, ref) or '', '^%S+') ~= owner then return 0 end
dropWaiting(ref)
return 1
