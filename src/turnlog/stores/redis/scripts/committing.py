"""Scripts that write to one session.

A log is a list of elements, see `elements`. One hash holds the heads of all logs of a session
(created, updated, last position, length), their notes, and the greatest position that the
session ever had. Positions are microseconds of the server's clock, moved forward where needed:
so they tell when a record was made, and are never used again.

Every write carries a token. A client that lost the answer sends the same write again, and
gets the answer of the first time.
"""

from __future__ import annotations

from turnlog.stores.redis.scripts.listing import LISTED, UPKEEP
from turnlog.stores.redis.scripts.script import Script
from turnlog.stores.redis.scripts.session import ADOPTION, HEADS, OPENING, SDK, SESSION
from turnlog.stores.redis.scripts.shared import CLOCK, ELEMENTS

__all__ = ["ADOPT", "COMMIT", "DELETE"]

_WRITE = (CLOCK, SESSION, LISTED, *HEADS)

# Before anything is loaded: what is sent again needs nothing else.
_KNOWN = """
do
    local done = redis.call('GET', KEYS[1])
    if done then return {'ok', string.match(done, '(.*)|(.*)')} end
end
"""

_REMOVAL = (
    """
-- Removes the records with from <= position < to.
local function drop(name, from, to)
    """,
    ELEMENTS,
    """
    local head = found[name]
    if not head or from > head.last or from >= to then return end
    local records = stem .. 'records/' .. name
    local first = from <= 1 and 0 or index_of(records, from, head.length)
    local stop = to > head.last and head.length or index_of(records, to, head.length)
    local count = stop - first
    if count <= 0 then return end

    if count == head.length then
        redis.call('DEL', records)
    elseif first == 0 then
        redis.call('LTRIM', records, stop, -1)
    elseif stop == head.length then
        redis.call('LTRIM', records, 0, first - 1)
    else
        for at = first, stop - 1 do redis.call('LSET', records, at, '') end
        redis.call('LREM', records, count, '')
    end
    touch(name)
    head.length = head.length - count
    if stop ~= head.length + count then return end
    local newest = redis.call('LINDEX', records, -1)
    head.last = newest and position_of(newest) or 0
end
""",
)

_REPLACEMENT = (
    """
-- values: for each record its position, its old payload and its new one.
-- Returns {index, element, index, element, ...} to be written; or nil, the position of a record
-- that is not stored as expected, and '1' if it is gone, else '0'.
local function replacement(name, values)
    """,
    ELEMENTS,
    """
    local records, length = stem .. 'records/' .. name, found[name] and found[name].length or 0
    local elements = {}
    -- Some elements are read at once: block[at] has the index start + at.
    local block, start, at = {}, -1, 1
    for n = 1, #values, 3 do
        local position = tonumber(values[n])
        while block[at] and position_of(block[at]) < position do at = at + 1 end
        if not block[at] then
            local first = index_of(records, position, length, start + at)
            local last = first + math.min((#values - n - 2) / 3, 15)
            block, start, at = redis.call('LRANGE', records, first, last), first - 1, 1
        end
        local element = block[at]
        if not element or position_of(element) ~= position then return nil, values[n], '1' end
        local width = string.byte(element) == 116 and 35 or 16  -- of what precedes the payload
        if string.sub(element, width + 1) ~= values[n + 1] then return nil, values[n], '0' end
        elements[#elements + 1] = start + at
        elements[#elements + 1] = string.sub(element, 1, width) .. values[n + 2]
    end
    return elements
end
""",
)

# Returns {'ok', positions, updated}, updated being the time of the change of "main", or '0';
# {'known', what the key was stored with}; {'conflict', number of the change, what is there};
# or {'changed', number of the change, position of a record, '1' if it is gone or '0'}.
COMMIT = Script(
    _KNOWN,
    *_WRITE,
    *_REMOVAL,
    *_REPLACEMENT,
    """
-- flags: whether the session is made if it is missing, whether the changes may write, and if
-- there is a key, '0', or '1' for one that is kept for a day only.
local flags, at = ARGV[4], 5
local makes, writes = string.byte(flags, 1) == 49, string.byte(flags, 2) == 49
local is_brief = string.byte(flags, 3) == 49
-- name: the key in the older form, or ''.
local hash, name, digest
if #flags == 3 then hash, name, digest, at = ARGV[5], ARGV[6], ARGV[7], 8 end

-- Where each change begins: its kind, its log, what it expects ('' for anything), and
-- append: from where to cut or '', what has a time (see `push`), the number of values, values
-- packed: the same, and each of the values is an array of values, packed
-- replace: the number of arrays, and each array, packed (see `replacement`)
-- remove: the first position, the first one after it to keep
-- note: the note, and what it expects begins with '='
local changes, fields = {}, {'g', 'e', 'hmain'}
while at <= #ARGV do
    local kind, log, expected = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    changes[#changes + 1] = at
    if log ~= 'main' then fields[#fields + 1] = 'h' .. log end
    if kind == 'append' or kind == 'packed' then at = at + 6 + ARGV[at + 5]
    elseif kind == 'replace' then at = at + 4 + ARGV[at + 3]
    elseif kind == 'remove' then at = at + 5
    elseif kind == 'note' then
        if expected ~= '' then fields[#fields + 1] = 'n' .. log end
        at = at + 4
    else at = at + 3 end
end
""",
    *OPENING,
    """
if hash then
    local known = redis.call('HMGET', keys, hash, name)
    known = known[1] or known[2] or redis.call('HGET', stem .. 'brief/0', hash)
        or redis.call('HGET', stem .. 'brief/1', hash)
    if known then return {'known', known} end
end
""",
    *ADOPTION,
    """
-- The values in the arguments from ARGV[first] to ARGV[last].
local function unpacked(first, last)
    local values, count = {}, 0
    for at = first, last do
        for _, value in ipairs(cmsgpack.unpack(ARGV[at])) do
            count = count + 1
            values[count] = value
        end
    end
    return values
end

local replacements = {}  -- by the name of the log
for number, at in ipairs(changes) do
    local kind, log, expected = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    if expected ~= '' then
        local actual = kind == 'note' and '=' .. (notes[log] or '') or
            string.format('%.0f', found[log] and found[log].last or 0)
        if actual ~= expected then return {'conflict', tostring(number), actual} end
    end
    if kind == 'replace' then
        local values = unpacked(at + 4, at + 3 + ARGV[at + 3])
        local elements, position, is_gone = replacement(log, values)
        if not elements then return {'changed', tostring(number), position, is_gone} end
        replacements[log] = elements
    end
end

if not greatest and makes then begin() end

local changed = hash
for _, at in ipairs(greatest and changes or {}) do
    local kind, log = ARGV[at], ARGV[at + 1]
    if kind == 'append' or kind == 'packed' then
        local cut, timed, count = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
        if cut ~= '' then drop(log, tonumber(cut), 2^53) end
        if kind == 'packed' then
            local values = unpacked(at + 6, at + 5 + count)
            push(log, values, 1, #values, timed)
        elseif count ~= '0' then push(log, ARGV, at + 6, at + 5 + count, timed) end
    elseif kind == 'replace' then
        local elements = replacements[log]
        for n = 1, #elements, 2 do
            redis.call('LSET', stem .. 'records/' .. log, elements[n], elements[n + 1])
            changed = true
        end
    elseif kind == 'remove' then
        drop(log, tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
    elseif kind == 'note' then
        touch(log)
        if ARGV[at + 3] == '' then redis.call('HDEL', logs, 'n' .. log)
        else redis.call('HSET', logs, 'n' .. log, ARGV[at + 3]) end
    elseif kind == 'forget' and found[log] then
        drop(log, 1, 2^53)
        if redis.call('HDEL', logs, 'n' .. log) == 1 then touch(log) end
        if log ~= 'main' then  -- which stays, empty
            redis.call('HDEL', logs, 'h' .. log)
            found[log], touched[log], changed = nil, nil, true
        end
    end
end

local positions = {}
for number, at in ipairs(changes) do
    local head = found[ARGV[at + 1]]
    positions[number] = string.format('%.0f', head and head.last or 0)
end
local answer = table.concat(positions, ' ')
local updated = touched.main and digits(found.main.updated) or '0'
if writes then
    if is_brief then
        -- Keys of today and of yesterday lie apart: those of yesterday expire with the day.
        local day = math.floor(moment / 86400000000)
        redis.call('HSET', stem .. 'brief/' .. day % 2, hash, answer .. '|' .. digest)
        redis.call('EXPIREAT', stem .. 'brief/' .. day % 2, (day + 2) * 86400)
    elseif hash then
        redis.call('HSET', keys, hash, answer .. '|' .. digest)
    end
    if changed or next(touched) then save() end
    redis.call('SET', token, answer .. '|' .. updated, 'EX', remembered)
end
return {'ok', answer, updated}
""",
)

_OPEN_MAIN = ("local fields = {'g', 'e', 'hmain'}", *OPENING, *ADOPTION)

# Returns 1 if there was anything to adopt, else 0.
ADOPT = Script(*_WRITE, *_OPEN_MAIN, "return adopted")

# Returns {'ok'} or {'conflict', where the log "main" ends}.
DELETE = Script(
    _KNOWN,
    *_WRITE,
    *_OPEN_MAIN,
    SDK,
    UPKEEP,
    """
local expected = ARGV[4]
local last = string.format('%.0f', found.main and found.main.last or 0)
if expected ~= '' and expected ~= last then return {'conflict', last} end
if greatest then
    for _, field in ipairs(redis.call('HKEYS', logs)) do
        if string.byte(field) == 104 then
            redis.call('DEL', stem .. 'records/' .. string.sub(field, 2))
        end
    end
    redis.call('DEL', logs, keys, stem .. 'brief/0', stem .. 'brief/1')
    -- Kept for a day, so that no position is used again if the clock is set back.
    redis.call('SET', heads, digits(greatest), 'EX', 86400)
end
if times then
    remove(session)
    delete_sdk_keys(sdk_keys())
end
redis.call('SET', token, '|', 'EX', remembered)
return {'ok'}
""",
)
