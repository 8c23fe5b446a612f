-- Prelude of append.lua and state.lua: notices that the partition's past is
-- not what the caller was told, and then gives the past a new epoch.
--
-- log, meta   the keys of that name
-- epoch       as stored: false in a log that is new, or was emptied
-- head        position of the last message, as stored: ms-seq-idx
-- ARGV[1]     the epoch that the caller knows, or ''
-- ARGV[2..3]  the highest entry that the caller knows: ms, seq
-- ARGV[4]     a random number, to become the epoch if a new one is needed
-- Gives the epoch that holds from now on.
--
-- Ids go on above whatever the caller has seen, even if this server's clock
-- is behind that of the one which lost the tail.
local function fence(log, meta, epoch, head)
  local ms, seq = string.match(head, '^(%d+)-(%d+)')
  ms, seq = tonumber(ms), tonumber(seq)
  local kms, kseq = tonumber(ARGV[2]), tonumber(ARGV[3])
  local behind = ms < kms or (ms == kms and seq < kseq)
  if epoch and not (behind and epoch == ARGV[1]) then
    return epoch
  end
  redis.call('HSET', meta, 'epoch', ARGV[4])
  if behind then
    redis.call('XGROUP', 'CREATE', log, 'make', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', log, 'make')
    redis.call('XSETID', log, ARGV[2] .. '-' .. ARGV[3])
  end
  return ARGV[4]
end
