-- Appends an entry, which makes the statuses of the one before it void of meaning.
local function append(head, kind, epoch, at, message, groupInfo, welcome)
  local seq = tonumber(head) + 1
  local size = #message
  local fields = { 'kind', kind, 'epoch', epoch, 'at', at, 'message', message }
  for name, upload in pairs({ groupInfo = groupInfo, welcome = welcome }) do
    size = size + #upload
    fields[#fields + 1] = name
    fields[#fields + 1] = upload
  end
  redis.call('XADD', log, seq .. '-0', unpack(fields))
  redis.call('RPUSH', sizes, size)
  redis.call('HSET', group, 'head', seq)
  redis.call('HINCRBY', group, 'bytes', size)
  redis.call('DEL', statuses)
  return seq
end
