-- Finds the account of a token and notes, once an hour, that it is in use.
--
-- ARGV  3 token  4 hours that it lasts unused
-- Gives the account (common.lua), or 'none'.
local key = P .. 'token:' .. ARGV[3]
local v = redis.call('GET', key)
if not v then
  return {'none'}
end
local id, used = string.match(v, '^(%S+) (%d+)$')
local hour = math.floor(now() / 3600000)
if hour - used >= tonumber(ARGV[4]) then
  end_token(id, ARGV[3])
  return {'none'}
end
if hour > tonumber(used) then
  redis.call('SET', key, id .. ' ' .. text(hour), 'EX', 31 * 86400)
  redis.call('ZADD', P .. 'tokens:' .. id, hour, ARGV[3])
end
return account(id)
