-- What leaves have offered, in their order.
-- KEYS group offers
-- ARGV groupId leaves
-- RESULT of each leaf: keyPackage or nothing | nothing
local group, offers = unpack(KEYS)
local groupId, leaves = unpack(ARGV)

if redis.call('HGET', group, 'id') ~= groupId then return false end
local found = {}
for leaf in string.gmatch(leaves, '%d+') do
  found[#found + 1] = redis.call('HGET', offers, 'p' .. leaf)
end
return found
