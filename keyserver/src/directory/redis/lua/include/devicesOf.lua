-- What an identity's devices have, each oldest first. Items are 'k device ref' for a KeyPackage,
-- 'l device ref' for a last resort and 'm device group ref' for a Welcome.
local function deviceIn(devices, name)
  if not devices[name] then devices[name] = { name = name, packages = {}, mail = {} } end
  return devices[name]
end
local function devicesOf()
  local devices = {}
  for _, item in ipairs(redis.call('ZRANGE', order, 0, -1)) do
    local kind, name = string.match(item, '^(%a) (%x*) ')
    local device = deviceIn(devices, name)
    if kind == 'k' then
      table.insert(device.packages, item)
    elseif kind == 'l' then
      device.last = item
    else
      table.insert(device.mail, item)
    end
  end
  return devices
end
