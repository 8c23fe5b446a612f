-- What the scripts of the directory share; it comes before each of them.
--
-- KEYS  1 the call: where a call that changes something keeps its answer
-- ARGV  1 prefix of all keys, with the hash tag, so that all that a script
--         finds by what it reads is in the slot of KEYS[1]
--       2 milliseconds to add to the clock: 0 but in tests
--       3 … see each script
-- Each gives an array of strings; the first is 'ok' or why not.
local P = ARGV[1]

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[2])
end

local function text(n)
  return string.format('%.0f', n)
end

-- Runs a change once, however often it is asked for: a caller that does not
-- know what became of it asks again. Both roads write, since WAIT waits for
-- the caller's last write.
local function once(run)
  local done = redis.call('GET', KEYS[1])
  local answer = done and cmsgpack.unpack(done) or run()
  redis.call('SET', KEYS[1], cmsgpack.pack(answer), 'PX', 60000)
  return answer
end

-- Tells every process of a change: pairs of field and value.
local function tell(...)
  redis.call('XADD', P .. 'changes', 'MAXLEN', '~', 10000, '*', ...)
end

-- An account as read.go takes it.
local function account(id)
  local a = redis.call('HMGET', P .. 'account:' .. id, 'email', 'folded', 'name', 'password', 'created')
  if not a[1] then
    return {'none'}
  end
  return {'ok', id, a[1], a[2], a[3], a[4], a[5]}
end

-- Why an account may not be changed by who knows that its password hash is
-- was ('': anybody), or nil.
local function stale(id, was)
  local password = redis.call('HGET', P .. 'account:' .. id, 'password')
  if not password then
    return {'none'}
  end
  if was ~= '' and was ~= password then
    return {'stale'}
  end
end

local function add_token(id, token)
  local hour, all = math.floor(now() / 3600000), P .. 'tokens:' .. id
  redis.call('SET', P .. 'token:' .. token, id .. ' ' .. text(hour), 'EX', 31 * 86400)
  redis.call('ZREMRANGEBYSCORE', all, '-inf', '(' .. text(hour - 31 * 24))
  redis.call('ZADD', all, hour, token)
end

-- Ends a token; KEYS and the like are the caller's.
local function end_token(id, token)
  redis.call('DEL', P .. 'token:' .. token)
  redis.call('ZREM', P .. 'tokens:' .. id, token)
end

-- A room as one of its members sees it, with members if with is true; after
-- 'ok': id, name, creator, created, version, count, joined; for each member
-- account, email, name.
local function describe(room, who, with)
  local joined = redis.call('ZSCORE', P .. 'members:' .. room, who)
  if not joined then
    return {'none'}
  end
  local r = redis.call('HMGET', P .. 'room:' .. room, 'name', 'creator', 'created', 'version')
  local list = {'ok', room, r[1], r[2], r[3], r[4], text(redis.call('ZCARD', P .. 'members:' .. room)), joined}
  if with then
    for _, id in ipairs(redis.call('ZRANGE', P .. 'members:' .. room, 0, -1)) do
      local a = redis.call('HMGET', P .. 'account:' .. id, 'email', 'name')
      list[#list + 1], list[#list + 2], list[#list + 3] = id, a[1], a[2]
    end
  end
  return list
end

-- The version of a room after a change of it.
local function raise(room)
  return redis.call('HINCRBY', P .. 'room:' .. room, 'version', 1)
end

local function join(room, id)
  local version = raise(room)
  redis.call('ZADD', P .. 'members:' .. room, version, id)
  redis.call('SADD', P .. 'rooms:' .. id, room)
  tell('kind', 'joined', 'room', room, 'account', id, 'version', version)
  return version
end

-- Takes a member out of a room. The longest-standing of the others is heir to
-- who made it; with the last one the room goes.
local function leave(room, id)
  local version, members = raise(room), P .. 'members:' .. room
  redis.call('ZREM', members, id)
  redis.call('SREM', P .. 'rooms:' .. id, room)
  tell('kind', 'left', 'room', room, 'account', id, 'version', version)
  if redis.call('HGET', P .. 'room:' .. room, 'creator') == id then
    redis.call('SREM', P .. 'created:' .. id, room)
    local heir = redis.call('ZRANGE', members, 0, 0)[1]
    if heir then
      redis.call('HSET', P .. 'room:' .. room, 'creator', heir)
      redis.call('SADD', P .. 'created:' .. heir, room)
    else
      redis.call('DEL', P .. 'room:' .. room)
      tell('kind', 'room-deleted', 'room', room, 'version', version)
    end
  end
  return version
end

-- Why an account may not act as a room's creator, or nil.
local function not_creator(room, by)
  if not redis.call('ZSCORE', P .. 'members:' .. room, by) then
    return {'none'}
  end
  if redis.call('HGET', P .. 'room:' .. room, 'creator') ~= by then
    return {'forbidden'}
  end
end
