-- Where a partition begins and ends. fence.lua comes before it.
--
-- KEYS  1 log  2 topics  3 meta  4 marks  5..7 keys0..keys2
-- ARGV  1..4 for the fence
-- Gives epoch, position of the last message (0-0-0: none), id of the last entry
--       that retention removed (0-0: none).
local meta = redis.call('HMGET', KEYS[3], 'epoch', 'head', 'floor')
local epoch, head = fence(meta[1], meta[2], meta[3])
if epoch ~= meta[1] then
  meta[3] = redis.call('HGET', KEYS[3], 'floor')
end
return {epoch, head, meta[3] or '0-0'}
