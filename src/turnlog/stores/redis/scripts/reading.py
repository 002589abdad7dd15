"""Scripts that read."""

from __future__ import annotations

from turnlog.stores.redis.scripts.script import Script
from turnlog.stores.redis.scripts.shared import ELEMENTS, SESSIONS

__all__ = ["HEADS", "LIFE", "RANGE"]

# Takes the key of the records alone, so that they can be read while a Cluster has moved some
# keys of the session and not yet others. Returns the elements.
RANGE = Script(
    ELEMENTS,
    """
local records = KEYS[1]
-- from: the first position to read. to: the first one after it to leave out. limit: -1 for none.
local from, to, limit, oldest = unpack(ARGV)
limit = tonumber(limit)

local length = redis.call('LLEN', records)
local first = index_of(records, tonumber(from), length)
local stop = index_of(records, tonumber(to), length)
if limit >= 0 and oldest == '1' then stop = math.min(stop, first + limit)
elseif limit >= 0 then first = math.max(first, stop - limit) end
if first >= stop then return {} end
return redis.call('LRANGE', records, first, stop - 1)
""",
)

# Returns the fields of all heads of a session, also of one that an older version has stored.
HEADS = Script(
    """
local logs, heads = unpack(KEYS)
if redis.call('EXISTS', logs) == 1 then return redis.call('HGETALL', logs) end
if redis.call('TYPE', heads).ok == 'hash' then return redis.call('HGETALL', heads) end
return {}
"""
)

# Returns the milliseconds that a session still has; -1: for ever, -2: it doesn't exist.
LIFE = Script(SESSIONS, "return life_of(string.sub(KEYS[1], 1, -5))")
