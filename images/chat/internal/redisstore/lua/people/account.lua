-- Reads an account by its id or, if that is '', by its folded address.
--
-- ARGV  3 id  4 folded
-- Gives the account (common.lua), or 'none'.
local id = ARGV[3]
if id == '' then
  id = redis.call('HGET', P .. 'addresses', ARGV[4]) or ''
end
return account(id)
