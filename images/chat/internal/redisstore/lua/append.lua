-- Appends a batch as one stream entry, if all of its keys are new; else
-- appends nothing and tells which are known, so that the caller leaves those
-- out; or that some reply to what is gone. fence.lua and numbers.lua come before
-- it.
--
-- KEYS  1 log  2 topics  3 meta  4 marks  5..7 keys0..keys2; where there are
--       replies, 8..11 numbers, touched, changes, updates  12 replies
-- ARGV  1..4    for the fence
--       5       bytes of the messages, as retention counts them
--       6..8    a mark is due after so many messages, bytes, milliseconds;
--               0: never
--       9, 10   n messages, all of different keys; k topics, all used
--       11      the messages: read.go knows their form
--       then    n digests of keys
--               k triples: topic, how many messages it has here, index of
--               the last of them
--               for each reply: its place (0..n-1), the position (pos of
--               numbers.lua) of what it replies to, the topic
-- Gives epoch and head (ms-seq-idx); then either the id of the entry and 1 if
--       a mark was set, else 0; or '', 0, and for each known key its place
--       (0..n-1) and its position (ms-seq-idx), or, when all are new, for
--       each reply to what is gone its place and ''.
--
-- Rooms (their topics begin with ~) have a hash of their own: KEYS[2] and
-- ':rooms'. So an older server, which knows nothing of rooms, lists none.
--
-- The entry: version '1' and k; for each topic its name and what the topics
-- hash said of it before (messages, entry, index; '-': nothing), which leads
-- to the entry before this one that holds it; 'm' and the messages; 'p' and
-- the entry before it.
--
-- What costs here is the passing of strings between Redis and Lua, 0.1 µs and
-- more for each: hence one string for all messages, and few, wide commands.
local n, k = tonumber(ARGV[9]), tonumber(ARGV[10])
local keys, topics = 11, 11 + n

local meta = redis.call('HMGET', KEYS[3], 'epoch', 'head', 'count', 'bytes', 'mark_count', 'mark_bytes', 'mark_ms', 'floor')
local epoch, head = fence(meta[1], meta[2], meta[8])

local answer = {epoch, head, '', 0}
local known = {}
for g = 5, 7 do
  local found = redis.call('HMGET', KEYS[g], unpack(ARGV, keys + 1, keys + n))
  for i = 1, n do
    if found[i] and not known[i] then
      known[i] = true
      answer[#answer + 1] = i - 1
      answer[#answer + 1] = found[i]
    end
  end
end
if next(known) then
  -- This must write: WAIT waits for the caller's last write, and the caller
  -- asks whether these messages are on a replica. A full Redis refuses what
  -- could take memory; then these two, which leave nothing, are the write.
  local counted = redis.pcall('HINCRBY', KEYS[3], 'duplicates', #answer / 2 - 2)
  if type(counted) == 'table' and counted.err then
    redis.call('PEXPIRE', KEYS[3], 1000000000)
    redis.call('PERSIST', KEYS[3])
  end
  return answer
end

local answering = topics + 3 * k -- replies come after this
local numbers
if #ARGV > answering then
  numbers = book(KEYS[3], 8)
  for a = answering + 1, #ARGV, 3 do
    local page = numbers.get(ARGV[a + 1], ARGV[a + 2])
    if not page or page.deleted == 1 then
      answer[#answer + 1] = tonumber(ARGV[a])
      answer[#answer + 1] = ''
    end
  end
  if #answer > 4 then
    redis.call('HINCRBY', KEYS[3], 'duplicates', 0) -- as above: this must write
    return answer
  end
end

local names = {}
for j = 0, k - 1 do
  names[j + 1] = ARGV[topics + 1 + 3 * j]
end
local was = redis.call('HMGET', KEYS[2], unpack(names))
local rooms = KEYS[2] .. ':rooms' -- an older server lists what is in KEYS[2]
local function is_room(topic)
  return string.byte(topic) == 126 -- ~
end
local private
for j = 1, k do
  if is_room(names[j]) then
    private = private or redis.call('HMGET', rooms, unpack(names))
    was[j] = private[j]
  end
end
local entry, counts = {KEYS[1], '*', '1', ARGV[10]}, {}
for j = 1, k do
  local prev = was[j]
  entry[2 * j + 3], entry[2 * j + 4] = names[j], prev or '-'
  counts[j] = prev and string.match(prev, '^%d+') or 0
end
entry[2 * k + 5], entry[2 * k + 6] = 'm', ARGV[11]
entry[2 * k + 7], entry[2 * k + 8] = 'p', string.match(head, '^%d+-%d+')
local id = redis.call('XADD', unpack(entry))

local ids, base = {KEYS[5]}, id .. '-'
for i = 1, n do
  ids[2 * i], ids[2 * i + 1] = ARGV[keys + i], base .. (i - 1)
end
redis.call('HSET', unpack(ids))
head = ids[2 * n + 1]
answer[2], answer[3] = head, id

if numbers then
  local child = string.match(id, '^%d+')
  child = string.format('%012x%08x', tonumber(child), tonumber(string.match(id, '%d+$')))
  local answers = {KEYS[12]}
  for a = answering + 1, #ARGV, 3 do
    local parent = ARGV[a + 1]
    local page = numbers.get(parent, ARGV[a + 2])
    page.replies = page.replies + 1
    numbers.touch(parent)
    answers[#answers + 1] = 0
    answers[#answers + 1] = parent .. string.format('%s%02x', child, ARGV[a])
  end
  redis.call('ZADD', unpack(answers))
  numbers.close()
end

local infos, at = {KEYS[2]}, topics + 3
private = {rooms}
base = ' ' .. id .. ' '
for j = 1, k do
  local to = is_room(names[j]) and private or infos
  to[#to + 1], to[#to + 2] = names[j], (counts[j] + ARGV[at - 1]) .. base .. ARGV[at]
  at = at + 3
end
if #infos > 1 then
  redis.call('HSET', unpack(infos))
end
if #private > 1 then
  redis.call('HSET', unpack(private))
end

local ms = tonumber(string.match(id, '^%d+'))
local count, bytes = (meta[3] or 0) + n, (meta[4] or 0) + ARGV[5]
local function due(step, since)
  return step ~= '0' and since >= tonumber(step)
end
if due(ARGV[6], count - (meta[5] or 0)) or due(ARGV[7], bytes - (meta[6] or 0)) or due(ARGV[8], ms - (meta[7] or ms)) then
  redis.call('RPUSH', KEYS[4], string.format('%s %.0f %.0f', id, count, bytes))
  redis.call('HSET', KEYS[3], 'head', head, 'count', count, 'bytes', bytes, 'mark_count', count, 'mark_bytes', bytes, 'mark_ms', ms)
  answer[4] = 1
elseif meta[7] then
  redis.call('HSET', KEYS[3], 'head', head, 'count', count, 'bytes', bytes)
else
  redis.call('HSET', KEYS[3], 'head', head, 'count', count, 'bytes', bytes, 'mark_ms', ms)
end
return answer
