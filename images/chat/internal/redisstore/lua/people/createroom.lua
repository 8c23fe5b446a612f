-- Makes a room, or gives the one that the same key has made.
--
-- ARGV  3 id  4 name  5 creator  6 digest of the key  7 milliseconds that a
--       key is known  8 members a room may have  9 rooms a creator may have
--       then the folded addresses of members
-- Gives 'ok', '1' if it was there before else '', and the room with its
--       members (common.lua); 'none'; 'many'; or 'unknown' and addresses.
return once(function()
  local room, creator, key = ARGV[3], ARGV[5], P .. 'made:' .. ARGV[5] .. ':' .. ARGV[6]
  local made = redis.call('GET', key)
  if made then
    local at, first = string.match(made, '^(%d+) (%S+)$')
    if now() - at < tonumber(ARGV[7]) then
      local r = describe(first, creator, true)
      if r[1] == 'ok' then
        table.insert(r, 2, '1')
      end
      return r
    end
  end
  if redis.call('EXISTS', P .. 'account:' .. creator) == 0 or redis.call('EXISTS', P .. 'room:' .. room) == 1 then
    return {'none'}
  end
  local unknown, list, known = {'unknown'}, {creator}, {[creator] = true}
  for i = 10, #ARGV do
    local id = redis.call('HGET', P .. 'addresses', ARGV[i])
    if not id then
      unknown[#unknown + 1] = ARGV[i]
    elseif not known[id] then
      known[id] = true
      list[#list + 1] = id
    end
  end
  if #unknown > 1 then
    return unknown
  end
  if #list > tonumber(ARGV[8]) or redis.call('SCARD', P .. 'created:' .. creator) >= tonumber(ARGV[9]) then
    return {'many'}
  end
  redis.call('HSET', P .. 'room:' .. room, 'name', ARGV[4], 'creator', creator, 'created', text(now()), 'version', 0)
  redis.call('SADD', P .. 'created:' .. creator, room)
  redis.call('SET', key, text(now()) .. ' ' .. room, 'PX', ARGV[7] + 3600000)
  for _, id in ipairs(list) do
    join(room, id)
  end
  local r = describe(room, creator, true)
  table.insert(r, 2, '')
  return r
end)
