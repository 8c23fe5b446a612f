-- Reads a room for one of its members.
--
-- ARGV  3 room  4 account
-- Gives the room with its members (common.lua), or 'none'.
return describe(ARGV[3], ARGV[4], true)
