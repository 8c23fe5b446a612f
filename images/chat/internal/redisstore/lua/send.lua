-- Hands ephemeral messages to whoever listens. Nothing is written.
--
-- KEYS  1 the channel: of the partition's slot, where channels are sharded
-- ARGV  1      'spublish' on a Cluster, else 'publish'
--       then   messages, in the form of broadcast.go
-- Gives the time in milliseconds, which is put before each message.
local time = redis.call('TIME')
local ms = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
for i = 2, #ARGV do
  redis.call(ARGV[1], KEYS[1], ms .. ' ' .. ARGV[i])
end
return ms
