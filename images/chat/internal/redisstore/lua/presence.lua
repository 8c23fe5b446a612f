-- Says who is at one server, and sums over those that still count.
--
-- KEYS  1 presence  2 open
-- ARGV  1 server  2 people there  3 1 if it takes more people, else 0
--       4 memory for silent servers, milliseconds
-- Gives how many people there are, and how many servers take more.
--
-- An earlier version wrote one number for both: its people, and 2^40
-- more if it took more people. While such servers are about they are counted
-- right; they count this one's people, but not that it is open.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local memory = tonumber(ARGV[4])
local stamp = string.format('%.0f', now)
if ARGV[2] == '0' and ARGV[3] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. stamp)
  redis.call('PEXPIRE', KEYS[1], memory)
end
if ARGV[3] == '0' then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], stamp)
  redis.call('PEXPIRE', KEYS[2], memory)
end

local people, servers = 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local n, at = string.match(all[i + 1], '^(%d+) (%d+)')
  if n and now - at < memory then
    n = tonumber(n)
    if n >= 2 ^ 40 then
      n, servers = n - 2 ^ 40, servers + 1
    end
    people = people + n
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if now - (tonumber(all[i + 1]) or 0) < memory then
    servers = servers + 1
  else
    redis.call('HDEL', KEYS[2], all[i])
  end
end
return {people, servers}
