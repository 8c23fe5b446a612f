-- Sees to it that no key of a partition is missing. A Cluster that moves a
-- slot refuses each script that names a key which is not there (TRYAGAIN), for
-- as long as the slot is on its way: it cannot tell what is not there from
-- what has already gone. What is planted says nothing: a field or a member '',
-- a mark '-'.
--
-- KEYS  1 log  2 topics  3 meta  4 marks  5..7 keys0..keys2  8 topics of rooms
--       9..15 numbers, touched, changes, updates, up, down, replies
for _, k in ipairs({1, 12}) do
  if redis.call('EXISTS', KEYS[k]) == 0 then
    redis.call('XGROUP', 'CREATE', KEYS[k], 'make', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', KEYS[k], 'make')
  end
end
for _, k in ipairs({2, 5, 6, 7, 8, 9}) do
  redis.call('HSETNX', KEYS[k], '', '')
end
for _, k in ipairs({10, 11, 13, 14, 15}) do
  redis.call('ZADD', KEYS[k], 'NX', 0, '')
end
if redis.call('LINDEX', KEYS[4], 0) ~= '-' then
  redis.call('LPUSH', KEYS[4], '-')
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('HSET', KEYS[3], 'planted', 1)
end
return 1
