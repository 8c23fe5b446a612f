-- Marks a message as deleted. numbers.lua comes before it.
--
-- KEYS  1 meta  2..5 numbers, touched, changes, updates
-- ARGV  1 pos  2 topic
-- Gives the numbers, or '' when the message is gone.
local b = book(KEYS[1], 2)
local page = b.get(ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'deletions', 1) -- WAIT needs a write
if not page then
  return ''
end
if page.deleted == 0 then
  page.deleted = 1
  b.touch(ARGV[1])
  b.close()
end
return b.text(page)
