-- Keeps a filter under a name.
--
-- ARGV  3 account  4 name  5 filter  6 filters an account may have
-- Gives 'ok', 'none' or 'many'.
return once(function()
  local key = P .. 'filters:' .. ARGV[3]
  if redis.call('EXISTS', P .. 'account:' .. ARGV[3]) == 0 then
    return {'none'}
  end
  if redis.call('HEXISTS', key, ARGV[4]) == 0 and redis.call('HLEN', key) >= tonumber(ARGV[6]) then
    return {'many'}
  end
  redis.call('HSET', key, ARGV[4], ARGV[5])
  return {'ok'}
end)
