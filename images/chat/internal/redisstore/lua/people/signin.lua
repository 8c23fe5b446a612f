-- Adds a token to an account, if its password is still the one that was
-- checked; of too many the one that was not used for longest goes.
--
-- ARGV  3 id  4 password hash it must have  5 token
--       6 hash that takes its place, '': none  7 tokens an account may have
-- Gives 'ok' or 'stale'.
return once(function()
  local id, all = ARGV[3], P .. 'tokens:' .. ARGV[3]
  if stale(id, ARGV[4]) then
    return {'stale'}
  end
  add_token(id, ARGV[5])
  while redis.call('ZCARD', all) > tonumber(ARGV[7]) do
    local oldest = redis.call('ZRANGE', all, 0, 1)
    if oldest[1] == ARGV[5] then -- as old as another, and first by its bytes
      oldest[1] = oldest[2]
    end
    end_token(id, oldest[1])
    tell('kind', 'signed-out', 'account', id, 'token', oldest[1])
  end
  if ARGV[6] ~= '' then
    redis.call('HSET', P .. 'account:' .. id, 'password', ARGV[6])
  end
  return {'ok'}
end)
