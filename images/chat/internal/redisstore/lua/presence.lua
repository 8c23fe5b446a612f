-- Says who is at one server, and sums over those that still count.
--
-- KEYS  1 presence  2 open  3 about  4 users
-- ARGV  1 server  2 people there  3 1 if it takes more people, else 0
--       4 memory for silent servers, milliseconds  5 guests among the people
--       6, 7 the moments between which accounts came and went; the first 0: all
--       that are there came; both 0: nothing is said of accounts
--       8 how many came, then those, then those that went
-- Gives how many people there are, how many servers take more, how many of the
--       people are guests, how many different accounts there are, and 1 if
--       the server has to tell all of its accounts, else 0.
--
-- A server's accounts are a set, KEYS[4] and ':' and the server; users counts
-- for each account the sets that it is in. Both change with what has changed.
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

-- Accounts come and go. What is of a server that does not count is forgotten.
local function lose(account)
  if redis.call('HINCRBY', KEYS[4], account, -1) <= 0 then
    redis.call('HDEL', KEYS[4], account)
  end
end
local function forget(server)
  local set = KEYS[4] .. ':' .. server
  for _, account in ipairs(redis.call('SMEMBERS', set)) do
    lose(account)
  end
  redis.call('DEL', set)
  redis.call('HDEL', KEYS[3], server)
end
local stale = 0
if ARGV[2] ~= '0' or ARGV[3] ~= '0' then
  local set, came = KEYS[4] .. ':' .. ARGV[1], tonumber(ARGV[8])
  local moment = string.match(redis.call('HGET', KEYS[3], ARGV[1]) or '', ' (%d+)$') or '0'
  if ARGV[7] ~= '0' then
    if ARGV[6] == '0' then
      forget(ARGV[1])
    elseif ARGV[6] ~= moment then
      stale = 1
    end
    if stale == 0 then
      for i = 9, #ARGV do
        if i < 9 + came then
          if redis.call('SADD', set, ARGV[i]) == 1 then
            redis.call('HINCRBY', KEYS[4], ARGV[i], 1)
          end
        elseif redis.call('SREM', set, ARGV[i]) == 1 then
          lose(ARGV[i])
        end
      end
      moment = ARGV[7]
    end
  end
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[5] .. ' ' .. moment)
end

local people, servers, guests = 0, 0, 0
local about = {}
local known = redis.call('HGETALL', KEYS[3])
for i = 1, #known, 2 do
  about[known[i]] = tonumber(string.match(known[i + 1], '^%d+'))
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local n, at = string.match(all[i + 1], '^(%d+) (%d+)')
  if n and now - at < memory then
    n = tonumber(n)
    if n >= 2 ^ 40 then
      n, servers = n - 2 ^ 40, servers + 1
    end
    people = people + n
    guests = guests + (about[all[i]] or n) -- a server that says nothing of guests has no others
    about[all[i]] = nil
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
for server in pairs(about) do
  forget(server)
end
all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if now - (tonumber(all[i + 1]) or 0) < memory then
    servers = servers + 1
  else
    redis.call('HDEL', KEYS[2], all[i])
  end
end
return {people, servers, guests, redis.call('HLEN', KEYS[4]), stale}
