-- Walks back over the entries that hold a topic, each of which names the one
-- before it, and collects the events before a bound. One call looks at a
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
--       5      most events to give
--       6      bytes of entries to look at, about
--       7      'find', 'scan', or 'walk' when the start is known
--       8      where the chain goes on ('' in the first call)
--       9      where the scan goes on, in the form of XREVRANGE ('' likewise)
-- Gives what to pass as ARGV 7..9 next time, 'done' in place of 7 at the end;
--       then entry id, index, record of each event, latest first.
--
-- An entry that is not in the form of entry.go, or not about the topic, breaks
-- the chain. Then the scan alone goes on, from there ('scan'), until it finds
-- an entry that holds the topic.
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

-- place gives where the topic stands in an entry; the events of the entry;
-- and the entry before it that holds the topic: '' if there is none, nil if
-- that cannot be read. Nothing for an entry that does not hold the topic.
local function place(fields)
  local k = fields[1] == '1' and tonumber(fields[2])
  if not k or fields[3 + 2 * k] ~= 'm' then
    return nil
  end
  for j = 0, k - 1 do
    if fields[3 + 2 * j] == topic then
      local prev = fields[4 + 2 * j]
      return j, fields[4 + 2 * k] or '', prev == '-' and '' or string.match(prev, '^%d+ (%d+%-%d+)')
    end
  end
end

-- spend counts an entry's events, and the work of looking at all.
local function spend(fields)
  budget = budget - #fields[#fields] - #(fields[#fields - 2] or '') - 10 * #fields
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
  local room = string.byte(topic) == 126 -- ~: see append.lua
  local last = redis.call('HGET', room and KEYS[2] .. ':rooms' or KEYS[2], topic)
  if not last then
    return {'done', '', ''}
  end
  scan = string.format('%s-%s', ARGV[2], ARGV[3])
  chain = string.match(last, '^%d+ (%d+-%d+)')
  if not chain then
    mode, chain = 'scan', '-'
  end
end

local out, n = {mode, chain, scan}, 0
while budget > 0 do
  if mode == 'find' and compare(chain) <= 0 then
    mode = 'walk'
  end
  if mode == 'walk' then
    local fields = get(chain)
    if not fields then
      mode = 'done'
      break
    end
    local at, blob, prev = place(fields)
    if at then
      local stop = compare(chain) == 0 and bidx or 256
      local i, idx, found = 1, 0, {}
      while i + 3 <= #blob and idx < stop do
        local t, a, b, c = string.byte(blob, i, i + 3)
        local size = a + 256 * b + 65536 * c
        if i + 3 + size > #blob then
          break -- cut off
        end
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
    end
    if not prev then
      mode, scan = 'scan', '(' .. chain
    elseif prev == '' then
      mode = 'done'
      break
    else
      chain = prev
    end
  else
    local found = redis.call('XREVRANGE', KEYS[1], scan, '-', 'COUNT', 1)[1]
    if not found then
      mode = 'done'
      break
    end
    spend(found[2])
    if place(found[2]) then
      mode, chain = 'walk', found[1]
    else
      scan = '(' .. found[1]
      if mode == 'find' then
        local fields = get(chain)
        if not fields then
          mode = 'done'
          break
        end
        local _, _, prev = place(fields)
        if prev == '' then
          mode = 'done'
          break
        elseif prev then
          chain = prev
        else
          mode = 'scan'
        end
      end
    end
  end
end
out[1], out[2], out[3] = mode, chain, scan
return out
