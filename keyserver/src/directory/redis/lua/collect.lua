-- Deletes a Welcome that its device has.
-- KEYS expiry order content
-- ARGV deviceName group ref
-- RESULT nothing
local expiry, order, content = unpack(KEYS)
local deviceName, group, ref = unpack(ARGV)
--- @include drop

drop(table.concat({ 'm', deviceName, group, ref }, ' '))
return false
