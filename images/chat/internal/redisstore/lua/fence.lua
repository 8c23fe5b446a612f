-- Prelude of append.lua and state.lua: notices that the partition's past is
-- not what readers were told, and then gives the past a new epoch.
--
-- KEYS        1 log  2 topics  3 meta  4 marks  5..7 keys0..keys2
-- epoch       as stored: false in a log that is new, or was emptied
-- head        position of the last message, as stored: ms-seq-idx, or false
-- floor       the last entry that retention removed: ms-seq, or false
-- ARGV[1]     the epoch that the caller knows, or ''
-- ARGV[2..3]  the highest entry that the caller knows: ms, seq
-- ARGV[4]     a random number, to become the epoch if a new one is needed
-- Gives the epoch that holds from now on, and the head.
--
-- What the caller knows has to be in the log still, or at or below the floor.
-- To compare it with the head would not do: another process, which never saw
-- the tail that is lost, may have appended above it. And where there are
-- entries by the head and the floor, the stream has to have some: it may have
-- been deleted alone. Then what tells of its entries goes, too.
--
-- Ids go on above whatever the caller has seen, even if this server's clock
-- is behind that of the one which lost the tail.
local function fence(epoch, head, floor)
  local function place(text)
    local ms, seq = string.match(text, '^(%d+)-(%d+)')
    return tonumber(ms), tonumber(seq)
  end
  local function after(ms, seq, other, otherseq)
    return ms > other or ms == other and seq > otherseq
  end
  local log, meta = KEYS[1], KEYS[3]
  local empty = redis.call('XLEN', log) == 0
  if not head and not empty then -- meta alone is gone
    head = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1][1] .. '-255'
  end
  head = head or '0-0-0'
  local ms, seq = place(head)
  local fms, fseq = place(floor or '0-0')
  local kms, kseq = tonumber(ARGV[2]), tonumber(ARGV[3])
  local behind = after(kms, kseq, ms, seq)

  local gone = empty and after(ms, seq, fms, fseq)
  local lost = gone
  if epoch == ARGV[1] and not lost and after(kms, kseq, fms, fseq) then
    local id = ARGV[2] .. '-' .. ARGV[3]
    lost = behind or (ms ~= kms or seq ~= kseq) and not redis.call('XRANGE', log, id, id)[1]
  end
  if epoch and not lost then
    return epoch, head
  end

  redis.call('HSET', meta, 'epoch', ARGV[4])
  if gone then
    redis.call('UNLINK', KEYS[2], KEYS[2] .. ':rooms', KEYS[4], KEYS[5], KEYS[6], KEYS[7])
    redis.call('HSET', meta, 'floor', string.match(head, '^%d+-%d+'))
  elseif not epoch and not empty then
    redis.call('UNLINK', KEYS[4]) -- they count from another start
    redis.call('HSET', meta, 'head', head)
  end
  if behind or gone then
    redis.call('XGROUP', 'CREATE', log, 'make', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', log, 'make')
    redis.call('XSETID', log, behind and ARGV[2] .. '-' .. ARGV[3] or string.match(head, '^%d+-%d+'))
  end
  return ARGV[4], head
end
