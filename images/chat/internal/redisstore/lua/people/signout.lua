-- Ends a token, if it is known.
--
-- ARGV  3 token
-- Gives 'ok'.
return once(function()
  local v = redis.call('GET', P .. 'token:' .. ARGV[3])
  if v then
    local id = string.match(v, '^%S+')
    end_token(id, ARGV[3])
    tell('kind', 'signed-out', 'account', id, 'token', ARGV[3])
  end
  return {'ok'}
end)
