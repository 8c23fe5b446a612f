-- Reads all rooms of an account.
--
-- ARGV  3 account
-- Gives 'ok' and for each room what common.lua's describe gives after 'ok'.
local list = {'ok'}
for _, room in ipairs(redis.call('SMEMBERS', P .. 'rooms:' .. ARGV[3])) do
  local r = describe(room, ARGV[3], false)
  for i = 2, #r do
    list[#list + 1] = r[i]
  end
end
return list
