-- Forgets numbers, votes and replies of messages that retention has removed,
-- so many of each at most.
--
-- KEYS  1 meta  2 numbers  3 touched  4 changes  5 up  6 down  7 replies
-- ARGV  1       how many of each
-- Gives 1 if there may be more, else 0.
local floor = redis.call('HGET', KEYS[1], 'floor')
if not floor then
  return 0
end
local ms, seq = string.match(floor, '^(%d+)-(%d+)')
-- All of the entry: the digits of an index come before 'g'.
local bound = string.format('(%012x%08xg', tonumber(ms), tonumber(seq))
-- And what plant.lua has put there, the member '', stays.
local limit, more = tonumber(ARGV[1]), 0

local function first(key)
  local found = redis.call('ZRANGEBYLEX', key, '(', bound, 'LIMIT', 0, limit)
  if #found == limit then
    more = 1
  end
  return found
end

local gone = first(KEYS[3])
if #gone > 0 then
  redis.call('HDEL', KEYS[2], unpack(gone))
  redis.call('ZREM', KEYS[3], unpack(gone))
  redis.call('ZREM', KEYS[4], unpack(gone))
end
for k = 5, 7 do
  gone = first(KEYS[k])
  if #gone > 0 then
    redis.call('ZREM', KEYS[k], unpack(gone))
  end
end
return more
