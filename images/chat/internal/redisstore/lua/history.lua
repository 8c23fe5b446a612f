-- Walks back over the entries that hold a topic, each of which names the one
-- before it, and collects the messages before a bound. One call looks at a
-- bounded number of bytes; the caller calls again with what it was given.
--
-- To find where to start, when the topic has entries after the bound, two
-- ways are tried in turn: along the chain from the topic's last entry, and
-- entry by entry back from the bound. With D entries after the bound, of
-- which a share f holds the topic, they take f*D and 1/f steps: the shorter
-- is at most the root of D.
--
-- KEYS  1 log  2 topics
-- ARGV  1      topic
--       2..4   the bound: ms, seq, idx
--       5      most messages to give
--       6      bytes of entries to look at, about
--       7      'find', or 'walk' when the start is known
--       8      where the chain goes on ('' in the first call)
--       9      where the scan goes on, in the form of XREVRANGE ('' likewise)
-- Gives what to pass as ARGV 7..9 next time, 'done' in place of 7 at the end;
--       then entry id, index, record of each message, latest first.
local topic, max, budget = ARGV[1], tonumber(ARGV[5]), tonumber(ARGV[6])
local bms, bseq, bidx = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local mode, chain, scan = ARGV[7], ARGV[8], ARGV[9]

-- compare gives -1, 0, 1 as an entry is before, at, after the bound's.
local function compare(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq)
  if ms ~= bms then return ms < bms and -1 or 1 end
  if seq ~= bseq then return seq < bseq and -1 or 1 end
  return 0
end

-- place gives where the topic stands in an entry, and the entry before it.
local function place(fields)
  for j = 0, fields[2] - 1 do
    if fields[3 + 2 * j] == topic then
      return j, string.match(fields[4 + 2 * j], '%d+%-%d+') or '0-0'
    end
  end
end

-- spend counts an entry's messages, and the work of looking at all.
local function spend(fields)
  budget = budget - #fields[#fields] - 10 * #fields
end

-- get gives the fields of an entry, nil if retention has removed it.
local function get(id)
  local found = redis.call('XRANGE', KEYS[1], id, id)
  if found[1] then
    spend(found[1][2])
    return found[1][2]
  end
end

if chain == '' then
  local last = redis.call('HGET', KEYS[2], topic)
  if not last then
    return {'done', '', ''}
  end
  chain = string.match(last, '^%d+ (%d+-%d+)')
  scan = string.format('%s-%s', ARGV[2], ARGV[3])
end

while mode == 'find' and budget > 0 do
  if compare(chain) <= 0 then
    mode = 'walk'
    break
  end
  local found = redis.call('XREVRANGE', KEYS[1], scan, '-', 'COUNT', 1)[1]
  if not found then
    return {'done', '', ''}
  end
  spend(found[2])
  if place(found[2]) then
    mode, chain = 'walk', found[1]
    break
  end
  scan = '(' .. found[1]
  local fields = get(chain)
  if not fields then
    return {'done', '', ''}
  end
  local _, prev = place(fields)
  chain = prev
  if chain == '0-0' then
    return {'done', '', ''}
  end
end

local out, n = {mode, chain, scan}, 0
while mode == 'walk' and budget > 0 do
  local fields = chain ~= '0-0' and get(chain)
  if not fields then
    mode = 'done'
    break
  end
  local at, prev = place(fields)
  local blob = fields[#fields] -- its form is in read.go
  local stop = compare(chain) == 0 and bidx or 256
  local i, idx, found = 1, 0, {}
  while i < #blob and idx < stop do
    local t, a, b, c = string.byte(blob, i, i + 3)
    local size = a + 256 * b + 65536 * c
    if t == at then
      found[#found + 1] = {idx, i + 4, i + 3 + size}
    end
    i, idx = i + 4 + size, idx + 1
  end
  for j = #found, 1, -1 do
    out[#out + 1] = chain
    out[#out + 1] = found[j][1]
    out[#out + 1] = string.sub(blob, found[j][2], found[j][3])
    n = n + 1
    if n == max then
      out[1] = 'done'
      return out
    end
  end
  chain = prev
end
out[1], out[2] = mode, chain
return out
