"""Lua scripts that run inside the server, each as one atomic step.

A log is a list. Each element begins with the position of its record in 16 digits; the
payload follows. Positions are microseconds of the server's clock, moved forward where
needed: so they tell when a record was made, and are never used again, even after
removals. One hash holds a head for each log of a session: when it was created and updated,
the last position, the length, and the greatest position that it ever had.

Every write carries a token. A client that lost the answer sends the same write again, and
gets the answer of the first time.
"""

from __future__ import annotations

from hashlib import sha1

__all__ = ["ADOPT", "ANNOTATE", "APPEND", "DELETE", "DELETE_ALL", "RANGE", "REMOVE", "Script"]


class Script:
    """A script, and the digest by which servers know it."""

    def __init__(self, *parts: str) -> None:
        self.text = "\n".join(parts)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


# While a Cluster moves the slot of a session, each node has some of its keys and runs no
# script on them: the key of the write is on neither node, so the answer is TRYAGAIN.
_COMMON = """
-- past: the greatest position of a deleted log. write: the answer to this write, by its token.
-- The keys from the directory on are missing on a Cluster, where they lie on other nodes.
local heads, records, keys, past, write, directory = unpack(KEYS, 1, 6)
local sdk_head, sdk_messages, sdk_counter = unpack(KEYS, 7, 9)

-- ttl: in seconds, 0 for none. prefix: of all keys. stem: of the keys of this session.
-- remembered: seconds for which the answer to this write is kept.
local name, session, ttl, prefix, stem, remembered = unpack(ARGV, 1, 6)
ttl = tonumber(ttl)

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end

local function digits(number) return string.format('%016.0f', number) end

local function remember(answer) redis.call('SET', write, answer, 'EX', remembered) end

local function read_head()
    local packed = redis.call('HGET', heads, 'h' .. name)
    if not packed then
        local greatest = tonumber(redis.call('GET', past) or 0)
        return {exists = false, created = 0, updated = 0, last = 0, length = 0,
                greatest = greatest}
    end
    local created, updated, last, length, greatest =
        string.match(packed, '(%d+) (%d+) (%d+) (%d+) (%d+)')
    return {exists = true, created = tonumber(created), updated = tonumber(updated),
            last = tonumber(last), length = tonumber(length), greatest = tonumber(greatest)}
end

local function renew_ttl()
    if ttl == 0 then return end
    redis.call('EXPIRE', heads, ttl)
    for _, field in ipairs(redis.call('HKEYS', heads)) do
        if string.sub(field, 1, 1) == 'h' then
            redis.call('EXPIRE', stem .. '/records/' .. string.sub(field, 2), ttl)
            redis.call('EXPIRE', stem .. '/keys/' .. string.sub(field, 2), ttl)
        end
    end
end

-- Removes up to four expired sessions from the directory. It looks at the two that were updated
-- longest ago, and at two at random, as the former may have a longer ttl and not be expired.
local function purge_directory()
    local ids = redis.call('ZRANGE', directory, 0, 1)
    for _, id in ipairs(redis.call('ZRANDMEMBER', directory, 2)) do ids[#ids + 1] = id end
    for _, id in ipairs(ids) do
        local escaped = string.gsub(id, '[%%{}]', {['%'] = '%25', ['{'] = '%7B', ['}'] = '%7D'})
        if redis.call('EXISTS', prefix .. '/{=' .. escaped .. '}/heads') == 0 then
            redis.call('ZREM', directory, id)
        end
    end
end

local function save_head(head, moment)
    head.updated = math.max(moment, head.updated + 1)
    if not head.exists then head.created = head.updated end
    local numbers = {digits(head.created), digits(head.updated), digits(head.last), head.length,
                     digits(head.greatest)}
    redis.call('HSET', heads, 'h' .. name, table.concat(numbers, ' '))
    if directory and name == 'main' then
        redis.call('ZADD', directory, digits(head.updated), session)
        if ttl > 0 then purge_directory() end
    end
    renew_ttl()
end

-- Appends payloads[first] to payloads[last]; in chunks, because a call is limited to some
-- thousands of arguments.
local function push(head, payloads, first, last, moment)
    local position = math.max(moment, head.greatest + 1)
    local chunk = {}
    for index = first, last do
        chunk[#chunk + 1] = digits(position) .. payloads[index]
        position = position + 1
        if #chunk == 1000 or index == last then
            redis.call('RPUSH', records, unpack(chunk))
            chunk = {}
        end
    end
    head.last, head.greatest = position - 1, position - 1
    head.length = head.length + last - first + 1
end

local function has_type(key, kind) return key and redis.call('TYPE', key).ok == kind end

-- The keys that the SDK has stored for this session. A key that the SDK makes for one id may
-- have the name of a key for another ('a' has 'a:messages'), so type and owner are checked.
local function sdk_keys()
    local head = has_type(sdk_head, 'hash') and sdk_head
    local owner = head and redis.call('HGET', head, 'session_id')
    if owner and owner ~= session then return {} end
    return {head = head, messages = has_type(sdk_messages, 'list') and sdk_messages,
            counter = has_type(sdk_counter, 'string') and sdk_counter}
end

local function delete_sdk_keys(sdk)
    if not sdk.head and not sdk.messages then return end
    for _, key in pairs(sdk) do
        if key then redis.call('DEL', key) end
    end
end

-- Moves the SDK's messages to the end of the log. Whether there were any.
local function adopt(head)
    if name ~= 'main' or not sdk_messages then return false end
    if redis.call('EXISTS', sdk_messages) == 0 then return false end
    local sdk = sdk_keys()
    if not sdk.messages then return false end
    local messages = redis.call('LRANGE', sdk.messages, 0, -1)
    local moment = now()
    local created = tonumber(sdk.head and redis.call('HGET', sdk.head, 'created_at') or 0)
    local ttl_left = redis.call('PTTL', sdk.messages)
    push(head, messages, 1, #messages, moment)
    if not head.exists and created > 0 then
        head.created, head.exists = created * 1000000, true
    end
    save_head(head, moment)
    delete_sdk_keys(sdk)
    if ttl == 0 and ttl_left > 0 then
        redis.call('PEXPIRE', heads, ttl_left)
        redis.call('PEXPIRE', records, ttl_left)
    end
    return true
end

-- The head of the log, after adoption.
local function adopted_head()
    local head = read_head()
    return adopt(head) and read_head() or head
end

-- expected: the last position that the writer expects, '' for any.
local function is_conflict(head, expected)
    return expected ~= '' and expected ~= string.format('%.0f', head.last)
end
"""

# The index of the first record at or after a position, by binary search.
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

# Returns {'ok', last position, updated} or {'conflict', last position, '0'}.
APPEND = Script(
    _COMMON,
    """
local expected, has_key, key = unpack(ARGV, 7, 9)
local first = 10  -- the payloads follow

local done = redis.call('GET', write)
if not done and has_key == '1' then done = redis.call('HGET', keys, key) end
if done then return {'ok', done, '0'} end

local head = adopted_head()
if is_conflict(head, expected) then return {'conflict', digits(head.last), '0'} end
if #ARGV < first then return {'ok', digits(head.last), '0'} end

local moment = now()
push(head, ARGV, first, #ARGV, moment)
if has_key == '1' then redis.call('HSET', keys, key, digits(head.last)) end
save_head(head, moment)
remember(digits(head.last))
return {'ok', digits(head.last), digits(head.updated)}
""",
)

# Returns {'ok', number of records, updated} or {'conflict', last position, '0'}.
REMOVE = Script(
    _COMMON,
    _INDEX,
    """
-- from: the first position to remove. to: the first one after it to keep.
local expected, from, to = unpack(ARGV, 7, 9)

local done = redis.call('GET', write)
if done then return {'ok', done, '0'} end

local head = adopted_head()
if is_conflict(head, expected) then return {'conflict', digits(head.last), '0'} end
local first, stop = index_of(from), index_of(to)
local count = stop - first
if count <= 0 then return {'ok', '0', '0'} end

if first == 0 then
    redis.call('LTRIM', records, stop, -1)
elseif stop == head.length then
    redis.call('LTRIM', records, 0, first - 1)
else
    for index = first, stop - 1 do redis.call('LSET', records, index, '') end
    redis.call('LREM', records, count, '')
end

head.length = head.length - count
local newest = redis.call('LINDEX', records, -1)
head.last = newest and tonumber(string.sub(newest, 1, 16)) or 0
save_head(head, now())
remember(count)
return {'ok', tostring(count), digits(head.updated)}
""",
)

# Returns the time of the update.
ANNOTATE = Script(
    _COMMON,
    """
local note = ARGV[7]

local done = redis.call('GET', write)
if done then return done end

local head = adopted_head()
redis.call('HSET', heads, 'n' .. name, note)
save_head(head, now())
remember(digits(head.updated))
return digits(head.updated)
""",
)

# Returns 1 if there was anything to adopt, else 0.
ADOPT = Script(_COMMON, "return adopt(read_head()) and 1 or 0")

# Takes the key of the records alone, so that they can be read while a Cluster has moved some
# keys of the session and not yet others. Returns the elements.
RANGE = Script(
    """
local records = KEYS[1]
-- from: the first position to read. to: the first one after it to leave out. limit: -1 for none.
local from, to, limit = unpack(ARGV)
limit = tonumber(limit)
""",
    _INDEX,
    """
local first, stop = index_of(from), index_of(to)
if limit >= 0 then first = math.max(first, stop - limit) end
if first >= stop then return {} end
return redis.call('LRANGE', records, first, stop - 1)
""",
)

_FORGET = """
if redis.call('EXISTS', write) == 1 then return 1 end
remember(1)

-- Keeps the greatest position for a day, so that it isn't used again if the clock is set back.
local function forget(log)
    name = log
    past = stem .. '/past/' .. log
    redis.call('SET', past, digits(read_head().greatest), 'EX', 86400)
    redis.call('DEL', stem .. '/records/' .. log, stem .. '/keys/' .. log)
    redis.call('HDEL', heads, 'h' .. log, 'n' .. log)
    if log == 'main' then
        if directory then redis.call('ZREM', directory, session) end
        delete_sdk_keys(sdk_keys())
    end
end
"""

DELETE = Script(_COMMON, _FORGET, "forget(name) return 1")

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
