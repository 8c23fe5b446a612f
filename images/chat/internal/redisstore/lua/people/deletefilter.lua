-- Removes a filter, if it is there.
--
-- ARGV  3 account  4 name
-- Gives 'ok'.
return once(function()
  redis.call('HDEL', P .. 'filters:' .. ARGV[3], ARGV[4])
  return {'ok'}
end)
