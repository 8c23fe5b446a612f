-- Changes an account's name and password. A new password ends all tokens but
-- one.
--
-- ARGV  3 id  4 password hash it must have, '': any  5 new name, '': as it is
--       6 new password hash, '': as it is  7 the token that goes on, or ''
-- Gives the account as it is now, 'none' or 'stale'.
return once(function()
  local id, name, password = ARGV[3], ARGV[5], ARGV[6]
  local why = stale(id, ARGV[4])
  if why then
    return why
  end
  if name ~= '' then
    redis.call('HSET', P .. 'account:' .. id, 'name', name)
    tell('kind', 'renamed', 'account', id)
  end
  if password ~= '' then
    redis.call('HSET', P .. 'account:' .. id, 'password', password)
    for _, token in ipairs(redis.call('ZRANGE', P .. 'tokens:' .. id, 0, -1)) do
      if token ~= ARGV[7] then
        end_token(id, token)
      end
    end
    tell('kind', 'new-password', 'account', id, 'token', ARGV[7])
  end
  return account(id)
end)
