-- Prelude of append.lua, vote.lua and mark.lua: the numbers beside messages.
--
-- book(meta, first) opens the book of a partition, whose keys are
--   KEYS[first]    numbers  hash    pos → "rev up down replies deleted topic"
--   KEYS[first+1]  touched  zset    all scored 0: pos of each of numbers
--   KEYS[first+2]  changes  zset    pos, scored by rev
--   KEYS[first+3]  updates  stream  the last changes, one entry per script
-- pos is a position in 22 hexadecimal digits, so that texts are in its order.
-- rev counts the changes of the partition, in microseconds of the log's clock:
-- it is above those before it, and not behind the log's head. In updates, the
-- id of an entry is "rev-0" of its last change; its fields are 'p' and the
-- rev before its first, so that a reader sees a gap; then pos and numbers of
-- each change.
local function book(meta, first)
  local numbers, touched = KEYS[first], KEYS[first + 1]
  local changes, updates = KEYS[first + 2], KEYS[first + 3]
  local known = redis.call('HMGET', meta, 'rev', 'head', 'floor')
  local b = {pages = {}, order = {}}

  local floor = ''
  if known[3] then
    local ms, seq = string.match(known[3], '^(%d+)-(%d+)')
    floor = string.format('%012x%08xff', tonumber(ms), tonumber(seq))
  end

  -- get gives what is known of a message, or nil if retention has removed it.
  function b.get(pos, topic)
    if pos <= floor then
      return nil
    end
    local page = b.pages[pos]
    if page then
      return page
    end
    page = {rev = 0, up = 0, down = 0, replies = 0, deleted = 0, topic = topic}
    local found = redis.call('HGET', numbers, pos)
    if found then
      local rev, up, down, replies, deleted, name = string.match(found, '^(%d+) (%d+) (%d+) (%d+) (%d) (.*)$')
      page.rev, page.up, page.down = tonumber(rev), tonumber(up), tonumber(down)
      page.replies, page.deleted, page.topic = tonumber(replies), tonumber(deleted), name
    end
    b.pages[pos] = page
    return page
  end

  -- touch says that a page has changed.
  function b.touch(pos)
    local page = b.pages[pos]
    if not page.changed then
      page.changed = true
      b.order[#b.order + 1] = pos
    end
  end

  function b.text(page)
    return string.format('%.0f %.0f %.0f %.0f %d %s', page.rev, page.up, page.down, page.replies, page.deleted, page.topic)
  end

  -- close writes what has changed.
  function b.close()
    if #b.order == 0 then
      return
    end
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local head = tonumber(string.match(known[2] or '', '^%d+') or 0) * 1000 + 999
    local last = tonumber(known[1] or 0)
    local rev = math.max(now, head, last)
    local entry = {updates, 'MAXLEN', '~', 256, '', 'p', string.format('%.0f', last)}
    local hash, zeros, scores = {numbers}, {touched}, {changes}
    for _, pos in ipairs(b.order) do
      local page = b.pages[pos]
      rev = rev + 1
      page.rev = rev
      local text, score = b.text(page), string.format('%.0f', rev)
      entry[#entry + 1], entry[#entry + 2] = pos, text
      hash[#hash + 1], hash[#hash + 2] = pos, text
      zeros[#zeros + 1], zeros[#zeros + 2] = 0, pos
      scores[#scores + 1], scores[#scores + 2] = score, pos
    end
    local text = string.format('%.0f', rev)
    entry[5] = text .. '-0'
    redis.call('HSET', unpack(hash))
    redis.call('ZADD', unpack(zeros))
    redis.call('ZADD', unpack(scores))
    redis.call('HSET', meta, 'rev', text)
    redis.call('XADD', unpack(entry))
  end

  return b
end
