-- Appends a batch, as one stream entry, leaving out keys that are known.
-- fence.lua comes before it.
--
-- KEYS  1 log  2 topics  3 meta  4 marks  5..7 keys0..keys2
-- ARGV  1..4    for the fence
--       5       bytes of all n messages, as retention counts them
--       6..8    a mark is due after so many messages, bytes, milliseconds;
--               0: never
--       9, 10   n messages, all of different keys; k topics, all used
--       then    k names of topics
--               n digests of keys
--               n pairs: place of the topic in the list (0..k-1), record
-- Gives epoch, head (ms-seq-idx), entry id ('' if nothing was new), 1 if a mark was set
--       else 0, and for each known key: its place (0..n-1), its position
--       (ms-seq-idx).
--
-- The entry: version '1' and number of topics; for each topic its name and
-- the id of the entry before this one that holds it (0-0: none); for each
-- message the place of its topic and its record.
local n, k = tonumber(ARGV[9]), tonumber(ARGV[10])
local names, keys, records = 10, 10 + k, 10 + k + n

local meta = redis.call('HMGET', KEYS[3], 'epoch', 'head', 'count', 'bytes', 'mark_count', 'mark_bytes', 'mark_ms')
local head = meta[2] or '0-0-0'
local epoch = fence(KEYS[1], KEYS[3], meta[1], head)

local known = redis.call('HMGET', KEYS[5], unpack(ARGV, keys + 1, keys + n))
for g = 6, 7 do
  local older = redis.call('HMGET', KEYS[g], unpack(ARGV, keys + 1, keys + n))
  for i = 1, n do
    known[i] = known[i] or older[i]
  end
end

local answer = {epoch, head, '', 0}
local place, used, new, fresh = {}, {}, {}, 0
for i = 1, n do
  if known[i] then
    answer[#answer + 1] = i - 1
    answer[#answer + 1] = known[i]
  else
    local t = ARGV[records + 2 * i - 1]
    if not place[t] then
      used[#used + 1] = ARGV[names + 1 + t]
      place[t] = tostring(#used - 1)
      new[t] = 0
    end
    new[t] = new[t] + 1
    fresh = fresh + 1
  end
end
if fresh < n then
  -- Even if nothing is new this must write: WAIT waits for the caller's last
  -- write, and the caller asks whether these messages are on a replica.
  redis.call('HINCRBY', KEYS[3], 'duplicates', n - fresh)
  if fresh == 0 then
    return answer
  end
end

local was = redis.call('HMGET', KEYS[2], unpack(used))
local entry, e = {KEYS[1], '*', '1', tostring(#used)}, 4
local counts = {}
for j = 1, #used do
  local count, prev = string.match(was[j] or '0 0-0', '^(%d+) (%d+-%d+)')
  entry[e + 1], entry[e + 2], e = used[j], prev, e + 2
  counts[j] = count
end
for i = 1, n do
  if not known[i] then
    entry[e + 1] = place[ARGV[records + 2 * i - 1]]
    entry[e + 2], e = ARGV[records + 2 * i], e + 2
  end
end
local id = redis.call('XADD', unpack(entry))
answer[3] = id

local ids, x, idx, last = {KEYS[5]}, 1, 0, {}
for i = 1, n do
  if not known[i] then
    ids[x + 1] = ARGV[keys + i]
    ids[x + 2], x = id .. '-' .. idx, x + 2
    last[ARGV[records + 2 * i - 1]] = idx
    idx = idx + 1
  end
end
redis.call('HSET', unpack(ids))
head = ids[x]
answer[2] = head

local topics = {KEYS[2]}
for t, j in pairs(place) do
  topics[#topics + 1] = ARGV[names + 1 + t]
  topics[#topics + 1] = string.format('%d %s %d', counts[j + 1] + new[t], id, last[t])
end
redis.call('HSET', unpack(topics))

local ms = tonumber(string.match(id, '^%d+'))
local count = (meta[3] or 0) + fresh
local bytes = (meta[4] or 0) + math.floor(ARGV[5] * fresh / n)
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
