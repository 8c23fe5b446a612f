-- Renames a room and hands it over, on behalf of its creator.
--
-- ARGV  3 room  4 by  5 name, '': as it is  6 new creator, '': as it is
--       7 rooms a creator may have
-- Gives the room with its members (common.lua), 'none', 'forbidden',
--       'notmember' or 'many'.
return once(function()
  local room, by, name, to = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
  local why = not_creator(room, by)
  if why then
    return why
  end
  if to ~= '' and to ~= by then
    if not redis.call('ZSCORE', P .. 'members:' .. room, to) then
      return {'notmember'}
    end
    if redis.call('SCARD', P .. 'created:' .. to) >= tonumber(ARGV[7]) then
      return {'many'}
    end
    redis.call('SREM', P .. 'created:' .. by, room)
    redis.call('SADD', P .. 'created:' .. to, room)
    redis.call('HSET', P .. 'room:' .. room, 'creator', to)
  end
  if name ~= '' then
    redis.call('HSET', P .. 'room:' .. room, 'name', name)
  end
  tell('kind', 'room-changed', 'room', room, 'version', raise(room))
  return describe(room, by, true)
end)
