-- Removes an account with its tokens, filters and memberships.
--
-- ARGV  3 id  4 password hash it must have, '': any
-- Gives 'ok', 'none' or 'stale'.
return once(function()
  local id = ARGV[3]
  local why = stale(id, ARGV[4])
  if why then
    return why
  end
  local folded = redis.call('HGET', P .. 'account:' .. id, 'folded')
  for _, room in ipairs(redis.call('SMEMBERS', P .. 'rooms:' .. id)) do
    leave(room, id)
  end
  for _, token in ipairs(redis.call('ZRANGE', P .. 'tokens:' .. id, 0, -1)) do
    redis.call('DEL', P .. 'token:' .. token)
  end
  redis.call('HDEL', P .. 'addresses', folded)
  redis.call('DEL', P .. 'account:' .. id, P .. 'tokens:' .. id, P .. 'filters:' .. id, P .. 'rooms:' .. id, P .. 'created:' .. id)
  tell('kind', 'deleted', 'account', id, 'address', folded)
  return {'ok'}
end)
