-- Gives the events at some positions.
--
-- KEYS  1 log
-- ARGV  pairs: entry id, index
-- Gives for each its topic and its record; two empty strings where there is
--       none. The form of an entry is in entry.go.
local answer, id, fields = {}, '', nil
for a = 1, #ARGV, 2 do
  if ARGV[a] ~= id then
    id = ARGV[a]
    local found = redis.call('XRANGE', KEYS[1], id, id)[1]
    fields = found and found[2]
  end
  local topic, record = '', ''
  local k = fields and fields[1] == '1' and tonumber(fields[2])
  if k and fields[2 * k + 3] == 'm' then
    local blob, index = fields[2 * k + 4] or '', tonumber(ARGV[a + 1])
    local at = 1
    while at + 3 <= #blob do
      local t, x, y, z = string.byte(blob, at, at + 3)
      local size = x + 256 * y + 65536 * z
      if index == 0 then
        topic, record = fields[2 * t + 3] or '', string.sub(blob, at + 4, at + 3 + size)
        break
      end
      at, index = at + 4 + size, index - 1
    end
  end
  answer[a], answer[a + 1] = topic, record
end
return answer
