-- Tells how long an address is locked: from the last of so many wrong
-- passwords on, if they came within the time in which they count.
--
-- ARGV  3 folded  4 how many lock  5 milliseconds in which they count
--       6 milliseconds that the lock lasts
-- Gives 'ok' and milliseconds, 0: not locked.
local times = redis.call('LRANGE', P .. 'wrong:' .. ARGV[3], 0, -1)
local n = tonumber(ARGV[4])
if #times < n or times[1] - times[n] >= tonumber(ARGV[5]) then
  return {'ok', '0'}
end
return {'ok', text(math.max(0, times[1] + ARGV[6] - now()))}
