-- Finds out whether what was refused is taken again: writes as a post does, and
-- changes nothing.
--
-- KEYS  1 a hash
-- ARGV  1 'passing' if the hash is to go again
redis.call('HINCRBY', KEYS[1], 'duplicates', 0)
if ARGV[1] == 'passing' then
  redis.call('PEXPIRE', KEYS[1], 1000)
end
return 1
