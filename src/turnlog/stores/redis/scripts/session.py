"""Lua for scripts that write to one session: its heads, conversion and adoption."""

from __future__ import annotations

from turnlog.stores.redis.scripts.listing import UPKEEP
from turnlog.stores.redis.scripts.shared import SESSIONS

__all__ = ["ADOPTION", "HEADS", "OPENING", "SDK", "SESSION"]

# While a Cluster moves the slot of a session, each node has some of its keys and runs no
# script on them: the token's key is on neither node, so the answer is TRYAGAIN.
SESSION = """
-- token: the key of the answer to this write. times is missing on a Cluster, where it lies on
-- another node.
local token, logs, times = unpack(KEYS)

-- ttl: in seconds, 0 for none. remembered: seconds for which the answer to this write is kept.
local session, ttl, remembered = unpack(ARGV, 1, 3)
ttl = tonumber(ttl)
local prefix = times and string.sub(times, 1, -20)  -- times: <prefix>/{sessions/0}/times
local stem = string.sub(logs, 1, -5)
local heads, keys = stem .. 'heads', stem .. 'keys'
"""

HEADS = (
    """
local greatest  -- position that the session ever had; nil if it doesn't exist
local expires   -- whether the session has a time to live
local listed    -- the time by which the directory lists the session
local found, notes, touched = {}, {}, {}  -- by the name of the log

-- The head of a log that is changed now, made if it is missing.
local function touch(name)
    local head = found[name]
    if not head then
        head = {created = digits(moment), updated = 0, last = 0, length = 0}
        found[name] = head
        -- An older version keeps the greatest position of a log that it deleted for a day.
        greatest = math.max(greatest, tonumber(redis.call('GET', stem .. 'past/' .. name) or 0))
    end
    if not touched[name] then head.updated = math.max(moment, head.updated + 1) end
    touched[name] = true
    return head
end

-- Adds values[first] to values[last]. timed: for each a '1' if its value begins with a time.
local function push(name, values, first, last, timed)
    local head = touch(name)
    local position = math.max(moment, greatest + 1)
    local elements = {}
    for at = first, last do
        local mark = string.byte(timed, at - first + 1) == 49 and 't' or ''
        elements[at - first + 1] = mark .. digits(position) .. values[at]
        position = position + 1
    end
    call_with('RPUSH', stem .. 'records/' .. name, elements)
    head.last, greatest = position - 1, position - 1
    head.length = head.length + #elements
end

-- Stores what was changed. A time to live that the session has is given to all its keys.
local function save()
    local fields = {'g', digits(greatest)}
    for name in pairs(touched) do
        local head = found[name]
        fields[#fields + 1] = 'h' .. name
        fields[#fields + 1] = table.concat(
            {head.created, digits(head.updated), digits(head.last), head.length}, ' ')
    end
    call_with('HSET', logs, fields)

    local left = ttl > 0 and ttl * 1000 or expires and redis.call('PTTL', logs) or -1
    if left > 0 then
        redis.call('HSET', logs, 'e', '1')
        for _, key in ipairs({logs, heads, keys}) do redis.call('PEXPIRE', key, left) end
        -- Keys that are kept for a day (see `committing`) don't last longer for it.
        local today = math.floor(moment / 86400000000) % 2
        local rest = 86400000 - math.floor(moment / 1000) % 86400000
        redis.call('PEXPIRE', stem .. 'brief/' .. today, math.min(left, rest + 86400000))
        redis.call('PEXPIRE', stem .. 'brief/' .. 1 - today, math.min(left, rest))
        for _, field in ipairs(redis.call('HKEYS', logs)) do
            if string.byte(field) == 104 then
                redis.call('PEXPIRE', stem .. 'records/' .. string.sub(field, 2), left)
            end
        end
    end

    if not times or not touched.main then return end
    enter(session, listed, found.main.updated)
    listed = found.main.updated
    if left > 0 then redis.call('ZADD', ends, digits(moment / 1000 + left), session) end
    if moment % 8 == 0 then
        -- Looks at some entries: of sessions that may have expired, and of an older version.
        """,
    SESSIONS,
    UPKEEP,
    """
        for _, id in ipairs(due()) do mark(id, life_of(stem_of(prefix, id))) end
        local older = prefix .. '/sessions/' .. moment / 8 % 16
        local entries = redis.call('ZRANGE', older, 0, 15, 'WITHSCORES')
        for at = 1, #entries, 2 do
            if not time_of(entries[at]) then
                enter(entries[at], nil, tonumber(entries[at + 1]))
                redis.call('ZADD', ends, 0, entries[at])  -- to be looked at
            end
            redis.call('ZREM', older, entries[at])
        end
    end
end

-- Makes the session, with an empty log "main".
local function begin()
    greatest = tonumber(redis.call('GET', heads) or 0)
    -- A text in place of a hash: the scripts of an older version refuse it.
    redis.call('SET', heads, '0')
    touch('main')
end
""",
)

_CONVERT = """
        -- What an older version has stored is given the present form.
        local function convert_keys(name)  -- of one log, as those of the session: see `Key.of`
            local old = stem .. 'keys/' .. name
            local _, continued = string.gsub(name, '[\\128-\\191]', '')
            local fields = redis.call('HGETALL', old)
            for at = 1, #fields, 2 do
                fields[at] = #name - continued .. ':' .. name .. fields[at]
            end
            if #fields > 0 then call_with('HSET', keys, fields) end
            redis.call('DEL', old)
        end

        local older = redis.call('HGETALL', heads)
        local used, oldest = 0, digits(moment)
        for at = 1, #older, 2 do
            local field, value = older[at], older[at + 1]
            if string.byte(field) == 104 then
                local created, head, past = string.match(value, '(%d+)( %d+ %d+ %d+) (%d+)')
                value, used = created .. head, math.max(used, tonumber(past))
                if tonumber(created) < tonumber(oldest) then oldest = created end
                convert_keys(string.sub(field, 2))
            end
            redis.call('HSET', logs, field, value)
        end
        redis.call('HSET', logs, 'g', digits(used))
        redis.call('HSETNX', logs, 'hmain', oldest .. ' ' .. digits(moment) .. ' 0 0')
        local left = redis.call('PTTL', heads)
        redis.call('SET', heads, '0')
        if left > 0 then
            redis.call('HSET', logs, 'e', '1')
            for _, key in ipairs({logs, heads, keys}) do redis.call('PEXPIRE', key, left) end
        end
        if times then
            local packed = redis.call('HGET', logs, 'hmain')
            local old = redis.call('ZSCORE', times, session)
            enter(session, tonumber(old or nil), tonumber(string.match(packed, '%d+ (%d+)')))
            redis.call('ZADD', ends, 0, session)  -- to be looked at
        end
"""

# Expects the local `fields`: of `logs`, beginning with 'g', 'e', 'hmain'.
OPENING = (
    """
local values
for round = 1, 2 do
    if #fields <= 1000 then
        values = redis.call('HMGET', logs, unpack(fields))
    else
        values = {}
        for at, field in ipairs(fields) do values[at] = redis.call('HGET', logs, field) end
    end
    if values[1] or redis.call('TYPE', heads).ok ~= 'hash' then break end
    do
        """,
    _CONVERT,
    """
    end
end
greatest, expires = tonumber(values[1] or nil), values[2]
for at = 3, #fields do
    local name, value = string.sub(fields[at], 2), values[at]
    if value and string.byte(fields[at]) == 104 then
        local created, updated, last, length = string.match(value, '(%d+) (%d+) (%d+) (%d+)')
        found[name] = {created = created, updated = tonumber(updated), last = tonumber(last),
                       length = tonumber(length)}
    elseif value then
        notes[name] = value
    end
end
if times and greatest then listed = found.main.updated end
""",
)

SDK = """
-- The keys that the SDK has stored for this session. A key that the SDK makes for one id may
-- have the name of a key for another ('a' has 'a:messages'), so type and owner are checked.
local function sdk_keys()
    local function has_type(key, kind) return redis.call('TYPE', key).ok == kind end
    local key = prefix .. ':' .. session
    local head = has_type(key, 'hash') and key
    local owner = head and redis.call('HGET', head, 'session_id')
    if owner and owner ~= session then return {} end
    local messages, counter = key .. ':messages', key .. ':counter'
    return {head = head, messages = has_type(messages, 'list') and messages,
            counter = has_type(counter, 'string') and counter}
end

local function delete_sdk_keys(sdk)
    if not sdk.head and not sdk.messages then return end
    for _, key in pairs(sdk) do
        if key then redis.call('DEL', key) end
    end
end
"""

ADOPTION = (
    """
-- Moves the SDK's messages to the end of the log "main".
local adopted = 0
if times and redis.call('EXISTS', prefix .. ':' .. session .. ':messages') == 1 then
    """,
    SDK,
    """
    local sdk = sdk_keys()
    if sdk.messages then
        local messages = redis.call('LRANGE', sdk.messages, 0, -1)
        local created = tonumber(sdk.head and redis.call('HGET', sdk.head, 'created_at') or 0)
        local left = redis.call('PTTL', sdk.messages)
        if not greatest then
            begin()
            if created > 0 then found.main.created = digits(created * 1000000) end
            if left > 0 then  -- it is kept
                redis.call('HSET', logs, 'e', '1')
                redis.call('PEXPIRE', logs, left)
                expires = true
            end
        end
        push('main', messages, 1, #messages, '')
        delete_sdk_keys(sdk)
        save()
        adopted = 1
    end
end
""",
)
