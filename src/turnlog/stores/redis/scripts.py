"""What runs inside the server, each script in one step.

A log is a list. Each element begins with the position of its record in 16 digits; the
payload follows. Positions are microseconds of the server's clock, moved forward where
need be: so they tell when a record was made, and are never used again, whatever is
removed. One hash holds a head for each log of a session: when it was created and changed,
the last position, the length, and the greatest position that it ever had.

Every write carries a token. A client that lost the answer sends the same again, and gets
the answer of the first time.
"""

from __future__ import annotations

from hashlib import sha1

__all__ = ["ADOPT", "ANNOTATE", "APPEND", "DELETE", "DELETE_ALL", "RANGE", "REMOVE", "Script"]


class Script:
    """A script and the digest by which servers know it."""

    def __init__(self, *parts: str) -> None:
        self.text = "\n".join(parts)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


# KEYS: 1 heads, 2 records, 3 keys, 4 past, 5 write, 6 directory, 7-9 the SDK's.
# The last four are missing on a Cluster, where they would lie elsewhere.
# While a Cluster moves the slot of a session, no node runs a script on the part that it has,
# because the key of the write is on none: it answers TRYAGAIN until all is in one place.
# ARGV: 1 log name, 2 session id, 3 ttl in seconds or 0, 4 the prefix of all keys, 5 stem of the
# session's keys, 6 seconds for which the write is remembered.
_COMMON = """
local heads, records, keys, past, write, directory = unpack(KEYS)
local name, session, ttl, prefix, stem = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local remembered = ARGV[6]

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end

local function digits(number) return string.format('%016.0f', number) end

local function head()
    local packed = redis.call('HGET', heads, 'h' .. name)
    if not packed then
        local greatest = tonumber(redis.call('GET', past) or 0)
        return {made = false, created = 0, updated = 0, last = 0, length = 0, greatest = greatest}
    end
    local c, u, l, n, g = string.match(packed, '(%d+) (%d+) (%d+) (%d+) (%d+)')
    return {made = true, created = tonumber(c), updated = tonumber(u), last = tonumber(l),
            length = tonumber(n), greatest = tonumber(g)}
end

local function renew()
    if ttl == 0 then return end
    redis.call('EXPIRE', heads, ttl)
    for _, field in ipairs(redis.call('HKEYS', heads)) do
        if string.sub(field, 1, 1) == 'h' then
            redis.call('EXPIRE', stem .. '/records/' .. string.sub(field, 2), ttl)
            redis.call('EXPIRE', stem .. '/keys/' .. string.sub(field, 2), ttl)
        end
    end
end

-- Takes up to four sessions that have expired out of the directory: the two that were changed
-- longest ago, and two at random, for others may live longer than this store lets them.
local function purge()
    local chosen = redis.call('ZRANGE', directory, 0, 1)
    for _, id in ipairs(redis.call('ZRANDMEMBER', directory, 2)) do chosen[#chosen + 1] = id end
    for _, id in ipairs(chosen) do
        local escaped = string.gsub(id, '[%%{}]', {['%'] = '%25', ['{'] = '%7B', ['}'] = '%7D'})
        if redis.call('EXISTS', prefix .. '/{=' .. escaped .. '}/heads') == 0 then
            redis.call('ZREM', directory, id)
        end
    end
end

local function save(h, moment)
    h.updated = math.max(moment, h.updated + 1)
    if not h.made then h.created = h.updated end
    redis.call('HSET', heads, 'h' .. name, digits(h.created) .. ' ' .. digits(h.updated) .. ' '
        .. digits(h.last) .. ' ' .. h.length .. ' ' .. digits(h.greatest))
    if directory and name == 'main' then
        redis.call('ZADD', directory, digits(h.updated), session)
        if ttl > 0 then purge() end
    end
    renew()
end

-- In chunks, because a call takes some thousands of arguments only.
local function push(h, payloads, first, last, moment)
    local position = math.max(moment, h.greatest + 1)
    local chunk = {}
    for place = first, last do
        chunk[#chunk + 1] = digits(position) .. payloads[place]
        position = position + 1
        if #chunk == 1000 or place == last then
            redis.call('RPUSH', records, unpack(chunk))
            chunk = {}
        end
    end
    h.last, h.greatest = position - 1, position - 1
    h.length = h.length + last - first + 1
end

-- What the SDK has stored under the same id. Its keys for one id and prefix are called as those
-- for another may be ('a' has 'a:messages'), so each is looked at before it is taken for ours.
local function is(kind, key) return key and redis.call('TYPE', key).ok == kind end

local function found()
    local head = is('hash', KEYS[7])
    local owner = head and redis.call('HGET', KEYS[7], 'session_id')
    if owner and owner ~= session then return {} end
    return {head = head and KEYS[7], messages = is('list', KEYS[8]) and KEYS[8],
            counter = is('string', KEYS[9]) and KEYS[9]}
end

local function drop(theirs)
    if not theirs.head and not theirs.messages then return end
    for _, key in pairs(theirs) do
        if key then redis.call('DEL', key) end
    end
end

-- Takes it over, if there is anything.
local function adopt(h)
    if name ~= 'main' or not KEYS[8] or redis.call('EXISTS', KEYS[8]) == 0 then return false end
    local theirs = found()
    if not theirs.messages then return false end
    local messages = redis.call('LRANGE', theirs.messages, 0, -1)
    local moment = now()
    local created = tonumber(theirs.head and redis.call('HGET', theirs.head, 'created_at') or 0)
    local left = redis.call('PTTL', theirs.messages)
    push(h, messages, 1, #messages, moment)
    if not h.made and created > 0 then
        h.created, h.made = created * 1000000, true
    end
    save(h, moment)
    drop(theirs)
    if ttl == 0 and left > 0 then
        redis.call('PEXPIRE', heads, left)
        redis.call('PEXPIRE', records, left)
    end
    return true
end
"""

# Binary search in a list of records.
_INDEX = """
local function index_of(position)
    local low, high = 0, redis.call('LLEN', records)
    while low < high do
        local middle = math.floor((low + high) / 2)
        local found = string.sub(redis.call('LINDEX', records, middle), 1, 16)
        if found < position then low = middle + 1 else high = middle end
    end
    return low
end
"""

# ARGV: 7 expected end or '', 8 '1' if there is a key, 9 the key; then the payloads.
# Answers {'ok', position, updated} or {'conflict', end, '0'}.
APPEND = Script(
    _COMMON,
    """
local done = redis.call('GET', write)
if not done and ARGV[8] == '1' then done = redis.call('HGET', keys, ARGV[9]) end
if done then return {'ok', done, '0'} end
local h = head()
if adopt(h) then h = head() end
if ARGV[7] ~= '' and ARGV[7] ~= string.format('%.0f', h.last) then
    return {'conflict', digits(h.last), '0'}
end
if #ARGV == 9 then return {'ok', digits(h.last), '0'} end
local moment = now()
push(h, ARGV, 10, #ARGV, moment)
if ARGV[8] == '1' then redis.call('HSET', keys, ARGV[9], digits(h.last)) end
save(h, moment)
redis.call('SET', write, digits(h.last), 'EX', remembered)
return {'ok', digits(h.last), digits(h.updated)}
""",
)

# ARGV: 7 expected end or '', 8 the first position inside, 9 the first behind.
# Answers {'ok', how many, updated} or {'conflict', end, '0'}.
REMOVE = Script(
    _COMMON,
    _INDEX,
    """
local done = redis.call('GET', write)
if done then return {'ok', done, '0'} end
local h = head()
if adopt(h) then h = head() end
if ARGV[7] ~= '' and ARGV[7] ~= string.format('%.0f', h.last) then
    return {'conflict', digits(h.last), '0'}
end
local first, stop = index_of(ARGV[8]), index_of(ARGV[9])
local count = stop - first
if count <= 0 then return {'ok', '0', '0'} end
if first == 0 then
    redis.call('LTRIM', records, stop, -1)
elseif stop == h.length then
    redis.call('LTRIM', records, 0, first - 1)
else
    for place = first, stop - 1 do redis.call('LSET', records, place, '') end
    redis.call('LREM', records, count, '')
end
h.length = h.length - count
local newest = redis.call('LINDEX', records, -1)
h.last = newest and tonumber(string.sub(newest, 1, 16)) or 0
save(h, now())
redis.call('SET', write, count, 'EX', remembered)
return {'ok', tostring(count), digits(h.updated)}
""",
)

# ARGV: 7 the note. Answers when it was updated.
ANNOTATE = Script(
    _COMMON,
    """
local done = redis.call('GET', write)
if done then return done end
local h = head()
if adopt(h) then h = head() end
redis.call('HSET', heads, 'n' .. name, ARGV[7])
save(h, now())
redis.call('SET', write, digits(h.updated), 'EX', remembered)
return digits(h.updated)
""",
)

# Answers whether there was anything.
ADOPT = Script(_COMMON, "return adopt(head()) and 1 or 0")

# KEYS: 1 records, so that it can be read while the rest is on another node of a Cluster.
# ARGV: 1 the first position inside, 2 the first behind, 3 limit or -1. Answers the elements inside.
RANGE = Script(
    "local records = KEYS[1]",
    _INDEX,
    """
local first, stop = index_of(ARGV[1]), index_of(ARGV[2])
local limit = tonumber(ARGV[3])
if limit >= 0 then first = math.max(first, stop - limit) end
if first >= stop then return {} end
return redis.call('LRANGE', records, first, stop - 1)
""",
)

_FORGET = """
if redis.call('EXISTS', write) == 1 then return 1 end
redis.call('SET', write, 1, 'EX', remembered)

-- Positions are not used again, even if the clock is set back: remembered for a day.
local function forget(each)
    name = each
    past = stem .. '/past/' .. each
    local h = head()
    redis.call('SET', past, digits(h.greatest), 'EX', 86400)
    redis.call('DEL', stem .. '/records/' .. each, stem .. '/keys/' .. each)
    redis.call('HDEL', heads, 'h' .. each, 'n' .. each)
    if each == 'main' then
        if directory then redis.call('ZREM', directory, session) end
        drop(found())
    end
end
"""

DELETE = Script(_COMMON, _FORGET, "forget(ARGV[1]) return 1")

DELETE_ALL = Script(
    _COMMON,
    _FORGET,
    """
for _, field in ipairs(redis.call('HKEYS', heads)) do
    if string.sub(field, 1, 1) == 'h' then forget(string.sub(field, 2)) end
end
forget('main')
return 1
""",
)
