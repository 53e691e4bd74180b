-- Offers are fields of one hash: `<leaf>` says `suite until key key`, `p<leaf>` has the KeyPackage,
-- `k<key>` names the leaf that has offered the key.
local function isWanted(terms, suite, validUntil)
  if not terms then return false end
  local offered, till = string.match(terms, '^(%d+) (%d+)')
  return offered == suite and tonumber(till) >= tonumber(validUntil)
end

-- Leaves, separated by commas, without an offer that is wanted.
local function missingOffersOf(leaves, suite, validUntil)
  local missing = {}
  for leaf in string.gmatch(leaves, '%d+') do
    if not isWanted(redis.call('HGET', offers, leaf), suite, validUntil) then
      missing[#missing + 1] = leaf
    end
  end
  return missing
end
