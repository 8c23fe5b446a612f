-- Adds an account, if its address and id are free, and its first token.
--
-- ARGV  3 id  4 email  5 folded  6 name  7 password hash  8 token or ''
-- Gives 'ok' or 'taken'.
return once(function()
  local id, folded = ARGV[3], ARGV[5]
  if redis.call('HEXISTS', P .. 'addresses', folded) == 1 or redis.call('EXISTS', P .. 'account:' .. id) == 1 then
    return {'taken'}
  end
  redis.call('HSET', P .. 'addresses', folded, id)
  redis.call('HSET', P .. 'account:' .. id, 'email', ARGV[4], 'folded', folded, 'name', ARGV[6],
    'password', ARGV[7], 'created', text(now()))
  if ARGV[8] ~= '' then
    add_token(id, ARGV[8])
  end
  tell('kind', 'registered', 'account', id, 'address', folded)
  return {'ok'}
end)
