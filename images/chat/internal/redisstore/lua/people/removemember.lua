-- Takes a member out of a room, on behalf of its creator or the member.
--
-- ARGV  3 room  4 by  5 folded address
-- Gives 'ok', account ('': the address has none) and version; 'none' or
--       'forbidden'.
return once(function()
  local room, by = ARGV[3], ARGV[4]
  local id = redis.call('HGET', P .. 'addresses', ARGV[5]) or ''
  local why = not_creator(room, by)
  if why and (why[1] == 'none' or id ~= by) then
    return why
  end
  if id ~= '' and redis.call('ZSCORE', P .. 'members:' .. room, id) then
    return {'ok', id, text(leave(room, id))}
  end
  return {'ok', id, redis.call('HGET', P .. 'room:' .. room, 'version')}
end)
