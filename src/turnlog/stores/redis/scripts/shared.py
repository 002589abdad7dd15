"""Lua that several scripts begin with."""

from __future__ import annotations

__all__ = ["CLOCK", "ELEMENTS", "SESSIONS"]

CLOCK = """
-- Microseconds of the server's clock.
local moment = redis.call('TIME')
moment = moment[1] * 1000000 + moment[2]

local function digits(number) return string.format('%016.0f', number) end

-- Calls a command with any number of values: a single call takes some thousands.
local function call_with(command, key, values)
    if #values <= 1000 then return redis.call(command, key, unpack(values)) end
    for first = 1, #values, 1000 do
        redis.call(command, key, unpack(values, first, math.min(first + 999, #values)))
    end
end
"""

# See `elements`.
ELEMENTS = """
local function position_of(element)
    if string.byte(element) == 116 then return tonumber(string.sub(element, 2, 17)) end
    return tonumber(string.sub(element, 1, 16))
end

-- The index of the first record at or after a position, by binary search. With `least`, it is
-- this index or a greater one, and is found the faster the nearer it is.
local function index_of(records, position, length, least)
    local low, high = least or 0, length
    local probe = least or length
    while probe < high do
        if position_of(redis.call('LINDEX', records, probe)) < position then
            low = probe + 1
            probe = probe + probe - least + 1
        else
            high = probe
        end
    end
    while low < high do
        local middle = math.floor((low + high) / 2)
        if position_of(redis.call('LINDEX', records, middle)) < position then
            low = middle + 1
        else
            high = middle
        end
    end
    return low
end
"""

# On one server, where a script may look at the keys of any session.
SESSIONS = """
-- The beginning of the keys of a session.
local function stem_of(prefix, id)
    local escaped = string.gsub(id, '[%%{}]', {['%'] = '%25', ['{'] = '%7B', ['}'] = '%7D'})
    return prefix .. '/{=' .. escaped .. '}/'
end

-- Milliseconds that a session still has; -1: for ever, -2: it doesn't exist.
local function life_of(stem)
    local left = redis.call('PTTL', stem .. 'logs')
    if left ~= -2 then return left end
    if redis.call('TYPE', stem .. 'heads').ok ~= 'hash' then return -2 end
    return redis.call('PTTL', stem .. 'heads')
end
"""
