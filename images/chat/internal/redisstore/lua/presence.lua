-- Says how many people one server has, and sums over those that still count.
--
-- KEYS  1 presence
-- ARGV  1 server  2 people online  3 memory for silent servers, milliseconds
-- Gives the sum.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.0f', ARGV[2], now))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local sum, all = 0, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local online, at = string.match(all[i + 1], '^(%d+) (%d+)$')
  if now - at < tonumber(ARGV[3]) then
    sum = sum + online
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return sum
