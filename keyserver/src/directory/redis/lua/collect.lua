-- Deletes a Welcome that its device has.
-- KEYS expiry order content
-- ARGV device group ref
-- RESULT nothing
local expiry, order, content = unpack(KEYS)
local name, group, ref = unpack(ARGV)
--- @include drop

drop(table.concat({ 'm', name, group, ref }, ' '))
return false
