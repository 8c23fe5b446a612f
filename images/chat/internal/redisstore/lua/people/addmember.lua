-- Adds a member to a room, on behalf of its creator.
--
-- ARGV  3 room  4 by  5 folded address  6 members a room may have
-- Gives 'ok', account and version; 'none', 'forbidden', 'many'; or 'unknown'
--       and the address.
return once(function()
  local room, members = ARGV[3], P .. 'members:' .. ARGV[3]
  local why = not_creator(room, ARGV[4])
  if why then
    return why
  end
  local id = redis.call('HGET', P .. 'addresses', ARGV[5])
  if not id then
    return {'unknown', ARGV[5]}
  end
  if redis.call('ZSCORE', members, id) then
    return {'ok', id, redis.call('HGET', P .. 'room:' .. room, 'version')}
  end
  if redis.call('ZCARD', members) >= tonumber(ARGV[6]) then
    return {'many'}
  end
  return {'ok', id, text(join(room, id))}
end)
