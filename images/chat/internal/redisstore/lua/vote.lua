-- Counts ballots. numbers.lua comes before it.
--
-- KEYS  1 meta  2..5 numbers, touched, changes, updates  6 up  7 down
-- ARGV  1     n
--       then  n times: pos, voter, vote (1, 0 or -1), topic
-- Gives for each ballot the numbers after all of them; '' when its message is
--       gone.
--
-- up and down are sorted sets, all scored 0, of pos and voter: so the votes of
-- a message lie together, and leave with it.
local b = book(KEYS[1], 2)
local n, voted = tonumber(ARGV[1]), {}

local function move(key, member, wanted)
  if wanted then
    return redis.call('ZADD', key, 0, member)
  end
  return -redis.call('ZREM', key, member)
end

for i = 1, n do
  local pos, vote = ARGV[4 * i - 2], ARGV[4 * i]
  local page = b.get(pos, ARGV[4 * i + 1])
  if page and page.deleted == 0 then
    voted[i] = page
    local member = pos .. ARGV[4 * i - 1]
    local up = move(KEYS[6], member, vote == '1')
    local down = move(KEYS[7], member, vote == '-1')
    if up ~= 0 or down ~= 0 then
      page.up, page.down = page.up + up, page.down + down
      b.touch(pos)
    end
  end
end
b.close()
-- This must write, also if nothing has changed: WAIT waits for the caller's
-- last write.
redis.call('HINCRBY', KEYS[1], 'ballots', n)

local answer = {}
for i = 1, n do
  answer[i] = voted[i] and b.text(voted[i]) or ''
end
return answer
