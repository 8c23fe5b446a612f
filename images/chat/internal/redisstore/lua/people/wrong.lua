-- Notes a wrong password for an address; the last few are kept.
--
-- ARGV  3 folded  4 how many are kept  5 milliseconds that they count
-- Gives 'ok'.
return once(function()
  local key = P .. 'wrong:' .. ARGV[3]
  redis.call('LPUSH', key, text(now()))
  redis.call('LTRIM', key, 0, ARGV[4] - 1)
  redis.call('PEXPIRE', key, ARGV[5])
  return {'ok'}
end)
