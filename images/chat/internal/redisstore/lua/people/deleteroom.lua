-- Deletes a room, on behalf of its creator.
--
-- ARGV  3 room  4 by
-- Gives 'ok', 'none' or 'forbidden'.
return once(function()
  local room, by = ARGV[3], ARGV[4]
  local why = not_creator(room, by)
  if why then
    return why
  end
  local version = raise(room)
  for _, id in ipairs(redis.call('ZRANGE', P .. 'members:' .. room, 0, -1)) do
    redis.call('SREM', P .. 'rooms:' .. id, room)
  end
  redis.call('SREM', P .. 'created:' .. by, room)
  redis.call('DEL', P .. 'room:' .. room, P .. 'members:' .. room)
  tell('kind', 'room-deleted', 'room', room, 'version', version)
  return {'ok'}
end)
