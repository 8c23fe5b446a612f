-- Where a partition begins and ends. fence.lua comes before it.
--
-- KEYS  1 log  2 meta
-- ARGV  1..4 for the fence
-- Gives epoch, position of the last message (0-0-0: none), id of the last entry
--       that retention removed (0-0: none).
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'head', 'floor')
local head = meta[2] or '0-0-0'
return {fence(KEYS[1], KEYS[2], meta[1], head), head, meta[3] or '0-0'}
