-- Removes a filter.
--
-- ARGV  3 account  4 name
-- Gives 'ok', or 'none' where there is none of that name.
return once(function()
  if redis.call('HDEL', P .. 'filters:' .. ARGV[3], ARGV[4]) == 0 then
    return {'none'}
  end
  return {'ok'}
end)
