-- Records how many partitions a new log has.
--
-- KEYS  1 partitions
-- ARGV  1 how many the caller thinks there are
-- Gives how many there are.
local recorded = redis.call('GET', KEYS[1])
if not recorded then
  redis.call('SET', KEYS[1], ARGV[1])
end
return recorded or ARGV[1]
