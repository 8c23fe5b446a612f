-- Forgets: old generations of keys, and entries up to one mark that retention
-- no longer keeps, with the topics whose last message goes.
--
-- KEYS  1 log  2 topics  3 meta  4 marks  5..7 keys0..keys2
-- ARGV  1..3  how much to keep: messages, bytes, milliseconds; 0: no limit
--       4     the generations of keys move on every so many milliseconds
--       5     how many bytes of memory all keys of the partition may take; 0: no limit
-- Gives 1 if there may be more to forget at once, else 0; how many bytes of
--       memory the partition takes, and its keys0..keys2; 1 if messages were removed for
--       the sake of memory alone, else 0.
--
-- Its work is that of the entries it removes, at most those between two marks,
-- however many topics there are.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('HMGET', KEYS[3], 'head', 'count', 'bytes', 'mark_count', 'rotated')
local head, count, bytes = string.match(meta[1] or '', '^%d+-%d+'), tonumber(meta[2] or 0), tonumber(meta[3] or 0)
if not head then
  return {0, 0, 0, 0}
end
local function memory(...)
  local sum = 0
  for _, key in ipairs({...}) do
    local size = redis.pcall('MEMORY', 'USAGE', key) -- a user of narrow rights may not ask
    sum = sum + (type(size) == 'number' and size or 0)
  end
  return sum
end

-- What plant.lua has put there stays.
local planted = redis.call('LINDEX', KEYS[4], 0) == '-'
local function drop_mark()
  if planted then
    redis.call('LSET', KEYS[4], 1, '-')
  end
  redis.call('LPOP', KEYS[4])
end

if not meta[5] then
  redis.call('HSET', KEYS[3], 'rotated', now)
elseif now - meta[5] >= tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[3], 'rotated', now)
  if redis.call('EXISTS', KEYS[6]) == 1 then
    redis.call('RENAME', KEYS[6], KEYS[7])
  else
    redis.call('UNLINK', KEYS[7])
  end
  if redis.call('EXISTS', KEYS[5]) == 1 then
    redis.call('RENAME', KEYS[5], KEYS[6])
  end
  if planted then
    redis.call('HSET', KEYS[5], '', '')
  end
end

local messages, size, age = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function old(id)
  return age > 0 and now - string.match(id, '^%d+') >= age
end

-- Nobody posts any more: append.lua will not set the mark that age needs.
if old(head) and tonumber(meta[4] or 0) < count then
  redis.call('RPUSH', KEYS[4], string.format('%s %.0f %.0f', head, count, bytes))
  redis.call('HSET', KEYS[3], 'mark_count', count, 'mark_bytes', bytes, 'mark_ms', now)
end

local keys = memory(KEYS[5], KEYS[6], KEYS[7])
local all = keys + memory(KEYS[1], KEYS[2], KEYS[2] .. ':rooms', KEYS[3], KEYS[4])
local budget = tonumber(ARGV[5])

local mark = redis.call('LINDEX', KEYS[4], planted and 1 or 0)
if not mark then
  return {0, all, keys, 0}
end
local cut, c, b = string.match(mark, '^(%d+-%d+) (%d+) (%d+)')
if not cut then -- damaged: the next mark serves
  drop_mark()
  return {1, all, keys, 0}
end
local due = messages > 0 and count - c >= messages or size > 0 and bytes - b >= size or old(cut)
local full = budget > 0 and all > budget
if not (due or full) then
  return {0, all, keys, 0}
end

-- Which topics end here: those whose last entry is among the removed; the
-- others have so many messages fewer. An entry
-- that is not in the form of entry.go may hold any topic.
local last, removed, unread, from = {}, {}, {}, '-'
repeat
  local page = redis.call('XRANGE', KEYS[1], from, cut, 'COUNT', 16)
  for _, entry in ipairs(page) do
    local fields = entry[2]
    local k = fields[1] == '1' and tonumber(fields[2])
    if k and fields[3 + 2 * k] == 'm' then
      for j = 0, k - 1 do
        last[fields[3 + 2 * j]] = entry[1]
      end
      local blob, i = fields[4 + 2 * k] or '', 1
      while i + 3 <= #blob do
        local t, x, y, z, kind = string.byte(blob, i, i + 4)
        local topic = t < k and fields[3 + 2 * t]
        if topic and (kind == 109 or kind == 114) then -- m, r: a message
          removed[topic] = (removed[topic] or 0) + 1
        end
        i = i + 4 + x + 256 * y + 65536 * z
      end
    else
      unread[entry[1]] = true
    end
    from = '(' .. entry[1]
  end
until #page == 0
local function forget(hash, names)
  for i = 1, #names, 1000 do -- unpack has a limit of about 8,000
    local to = math.min(i + 999, #names)
    local infos = redis.call('HMGET', hash, unpack(names, i, to))
    for j = i, to do
      local info = infos[j - i + 1]
      local n, entry = string.match(info or '', '^(%d+) (%d+-%d+)')
      if entry == last[names[j]] and n then
        redis.call('HDEL', hash, names[j])
      elseif n and removed[names[j]] then
        n = math.max(0, n - removed[names[j]])
        redis.call('HSET', hash, names[j], string.format('%.0f', n) .. string.match(info, '^%d+(.*)$'))
      end
    end
  end
  if next(unread) then
    local all = redis.call('HGETALL', hash)
    for i = 1, #all, 2 do
      local entry = string.match(all[i + 1], '^%d+ (%d+-%d+)')
      if all[i] ~= '' and (not entry or unread[entry]) then
        redis.call('HDEL', hash, all[i])
      end
    end
  end
end
local public, rooms = {}, {}
for topic in pairs(last) do
  local names = string.byte(topic) == 126 and rooms or public -- ~: see append.lua
  names[#names + 1] = topic
end
forget(KEYS[2], public)
forget(KEYS[2] .. ':rooms', rooms)

local ms, seq = string.match(cut, '^(%d+)-(%d+)$')
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%s-%.0f', ms, seq + 1))
drop_mark()
redis.call('HSET', KEYS[3], 'floor', cut)
return {1, all, keys, due and 0 or 1}
