"""Scripts of the directory, which lists the sessions.

times: each session's id, by the time of its last change.
blocks, ids/<block>: the same ids in order of their characters, in blocks of some thousand that
    follow each other in time. So a page of the sessions with a prefix skips the blocks without
    any, at the cost of a count, and never reads more than the blocks that have some.
ends: when to look whether a session still exists.
"""

from __future__ import annotations

from turnlog.stores.redis.scripts.script import Script
from turnlog.stores.redis.scripts.shared import CLOCK, SESSIONS

__all__ = ["DROP", "ENTER", "LISTED", "MARK", "PAGE", "TAKEN", "UPKEEP"]

# Expects a local `times`, which is missing on a Cluster in the scripts of a session. Functions
# that are rarely needed are made inside of others: to make one takes time in every run.
LISTED = """
local SIZE = 4096  -- of a block, in ids
local shard = times and string.sub(times, 1, -6) or ''
local ends, blocks, ids = shard .. 'ends', shard .. 'blocks', shard .. 'ids/'

-- The beginning of the block that holds the entries of a time.
local function block_of(time)
    local found = redis.call('ZREVRANGEBYSCORE', blocks, digits(time), '-inf', 'LIMIT', 0, 1)
    if found[1] then return tonumber(found[1]) end
    redis.call('ZADD', blocks, 0, digits(0))
    return 0
end

-- Lists a session at a new time, or removes it. Each of the times may be nil.
local function enter(id, old, new)
    if new then redis.call('ZADD', times, digits(new), id)
    else redis.call('ZREM', times, id) end
    if old and new then
        local start = block_of(new)
        if old >= start and (old <= new or block_of(old) == start) then return end
    end

    local function block_after(start)
        local found = redis.call('ZRANGEBYSCORE', blocks, '(' .. digits(start), '+inf',
                                 'LIMIT', 0, 1)
        return found[1] and tonumber(found[1])
    end

    local function add_block(start) redis.call('ZADD', blocks, digits(start), digits(start)) end

    local function size_of(block) return redis.call('ZCARD', ids .. digits(block)) end

    -- Moves the newer half of a block to a new one.
    local function split(start, stop)
        local first, last = digits(start), '(' .. digits(stop)
        local middle = redis.call('ZRANGEBYSCORE', times, first, last,
                                  'WITHSCORES', 'LIMIT', SIZE, 1)
        local begin = tonumber(middle[2] or 0)
        if begin <= start then return end  -- all were changed at the same time
        add_block(begin)
        local moved = redis.call('ZRANGEBYSCORE', times, digits(begin), last)
        for _, other in ipairs(moved) do redis.call('ZADD', ids .. digits(begin), 0, other) end
        call_with('ZREM', ids .. first, moved)
    end

    -- Gives a block that is full a follower.
    local function relieve(start)
        local stop = block_after(start)
        if not stop then
            add_block(redis.call('ZREVRANGE', times, 0, 0, 'WITHSCORES')[2] + 1)
        elseif size_of(start) > 2 * SIZE then
            split(start, stop)
        end
    end

    -- Makes one block of two neighbours that are small.
    local function join(older, newer)
        local count = size_of(newer)
        if count > 0 and size_of(older) + count > SIZE then return false end
        local from, to = ids .. digits(newer), ids .. digits(older)
        if count > 0 then redis.call('ZUNIONSTORE', to, 2, to, from, 'AGGREGATE', 'MAX') end
        redis.call('DEL', from)
        redis.call('ZREM', blocks, digits(newer))
        return true
    end

    local function leave(start)
        redis.call('ZREM', ids .. digits(start), id)
        if size_of(start) >= SIZE / 4 then return end
        if start > 0 and join(block_of(start - 1), start) then return end
        local newer = block_after(start)
        if newer then join(start, newer) end
    end

    if old then leave(block_of(old)) end
    if not new then return end
    local start = block_of(new)
    if redis.call('ZADD', ids .. digits(start), 0, id) == 1 and size_of(start) >= SIZE then
        relieve(start)
    end
end
"""

# After `LISTED`.
UPKEEP = """
local function time_of(id) return tonumber(redis.call('ZSCORE', times, id) or nil) end

local function remove(id)
    redis.call('ZREM', ends, id)
    local old = time_of(id)
    if old then enter(id, old) end
end

-- Notes the milliseconds that a session still has; -1: for ever, -2: it doesn't exist.
local function mark(id, left)
    if left == -2 then
        remove(id)
    elseif left == -1 then
        redis.call('ZREM', ends, id)
    else
        redis.call('ZADD', ends, digits(moment / 1000 + left), id)
    end
end

-- Some sessions that may have expired.
local function due()
    return redis.call('ZRANGEBYSCORE', ends, '-inf', digits(moment / 1000), 'LIMIT', 0, 16)
end
"""

_SHARD = "local times = KEYS[1]"

# Enters ids. rule: 'NX' leaves the time of an entry, 'GT' an earlier one. Returns ids that may
# have expired.
ENTER = Script(
    CLOCK,
    _SHARD,
    LISTED,
    UPKEEP,
    """
local rule = ARGV[1]
-- Each id is followed by its time, or '' for now, and by the milliseconds after which to look
-- whether it still exists, or '' to leave that.
for at = 2, #ARGV, 3 do
    local id, time, left = unpack(ARGV, at, at + 2)
    time = time == '' and moment or tonumber(time)
    local old = time_of(id)
    if not old or (rule == 'GT' and time > old) then enter(id, old, time) end
    if left ~= '' then
        -- It is changed in any case, so that a deletion notices.
        local before = tonumber(redis.call('ZSCORE', ends, id) or 0)
        local wanted = math.floor(moment / 1000) + tonumber(left)
        if rule == 'NX' then wanted = math.max(wanted, before + 1) end
        redis.call('ZADD', ends, digits(wanted), id)
    end
end
return due()
""",
)

# Notes the milliseconds that a session has left, unless it was announced since.
MARK = Script(
    CLOCK,
    _SHARD,
    LISTED,
    UPKEEP,
    """
local id, left = ARGV[1], tonumber(ARGV[2])
local last = redis.call('ZSCORE', ends, id)
if not last or tonumber(last) <= moment / 1000 then mark(id, left) end
""",
)

# Removes the entry of a session that was deleted, unless it changed since it was read.
DROP = Script(
    CLOCK,
    _SHARD,
    LISTED,
    UPKEEP,
    """
local id, time, last = unpack(ARGV)
if (redis.call('ZSCORE', times, id) or '') == time
    and (redis.call('ZSCORE', ends, id) or '') == last then remove(id) end
""",
)

# Removes entries from a list of an older version, unless their times were changed.
TAKEN = Script(
    """
for at = 1, #ARGV, 2 do
    local score = redis.call('ZSCORE', KEYS[1], ARGV[at])
    if score and tonumber(score) == tonumber(ARGV[at + 1]) then
        redis.call('ZREM', KEYS[1], ARGV[at])
    end
end
"""
)

# Returns {time, id, head, note} for each session of a page; on a Cluster {time, id}.
PAGE = Script(
    CLOCK,
    _SHARD,
    LISTED,
    UPKEEP,
    SESSIONS,
    """
-- stop: the first text after all that have the prefix, '' if there is none.
-- time, session: the entry to begin after; time '' for none.
-- root: of the keys of sessions, '' on a Cluster.
local prefix, stop, time, session, limit, oldest, root = unpack(ARGV)
limit, oldest = tonumber(limit), oldest == '1'
local start = time ~= '' and tonumber(time)
local RANGE = oldest and 'ZRANGE' or 'ZREVRANGE'

-- By bytes: the operator `<` follows the language that is set for the server.
local function is_less(one, other)
    for at = 1, math.min(#one, #other) do
        local a, b = string.byte(one, at), string.byte(other, at)
        if a ~= b then return a < b end
    end
    return #one < #other
end

local function is_after(id, at)
    if not start then return true end
    if at ~= start then return (at > start) == oldest end
    return id ~= session and is_less(session, id) == oldest
end

-- The number of entries before those of a time, in the order of the page.
local function rank_of(at)
    if oldest then return redis.call('ZCOUNT', times, '-inf', '(' .. digits(at)) end
    return redis.call('ZCOUNT', times, '(' .. digits(at), '+inf')
end

local function block_after(start)
    local found = redis.call('ZRANGEBYSCORE', blocks, '(' .. digits(start), '+inf',
                             'LIMIT', 0, 1)
    return found[1] and tonumber(found[1])
end

local page, gone = {}, {}

local function take(id, at)
    local head, note
    if root ~= '' then
        local stem = stem_of(root, id)
        head, note = unpack(redis.call('HMGET', stem .. 'logs', 'hmain', 'nmain'))
        if not head and redis.call('TYPE', stem .. 'heads').ok == 'hash' then
            head, note = unpack(redis.call('HMGET', stem .. 'heads', 'hmain', 'nmain'))
        end
        if not head then gone[#gone + 1] = id return end
    end
    page[#page + 1] = {digits(at), id, head or '', note or ''}
end

-- Takes from the entries with ranks from `first` to before `last`.
local function scan(first, last)
    local step = prefix == '' and limit + 8 or 256
    while first < last and #page < limit do
        local found = redis.call(RANGE, times, first, math.min(first + step, last) - 1,
                                 'WITHSCORES')
        for at = 1, #found, 2 do
            local id, moment = found[at], tonumber(found[at + 1])
            if #page < limit and string.sub(id, 1, #prefix) == prefix and is_after(id, moment)
                then take(id, moment) end
        end
        first = first + step
    end
end

-- Takes from the few ids of a block that have the prefix.
local function pick(found)
    local moments = redis.call('ZMSCORE', times, unpack(found))
    local entries = {}
    for at, id in ipairs(found) do
        local moment = tonumber(moments[at])
        if is_after(id, moment) then entries[#entries + 1] = {moment, at, id} end
    end
    table.sort(entries, function(one, other)
        if one[1] ~= other[1] then return (one[1] < other[1]) == oldest end
        return one[2] ~= other[2] and (one[2] < other[2]) == oldest
    end)
    for _, entry in ipairs(entries) do
        if #page < limit then take(entry[3], entry[1]) end
    end
end

local low, high = '[' .. prefix, stop == '' and '+' or '(' .. stop

-- Takes from a block. following: the beginning of the next one in time, if there is one.
local function visit(block, following)
    local key = ids .. digits(block)
    local count = redis.call('ZLEXCOUNT', key, low, high)
    if count == 0 then return end
    -- About limit / count of the block are read before the page is full.
    if count <= 1000 and count * count <= limit * SIZE then
        return pick(redis.call('ZRANGEBYLEX', key, low, high))
    end
    local first = start and rank_of(start) or 0
    if oldest then
        scan(math.max(first, rank_of(block)),
             following and rank_of(following) or redis.call('ZCARD', times))
    else
        local last = redis.call('ZCOUNT', times, digits(block), '+inf')
        scan(math.max(first, following and redis.call('ZCOUNT', times, digits(following), '+inf')
                             or 0), last)
    end
end

if prefix == '' then
    scan(start and rank_of(start) or 0, redis.call('ZCARD', times))
else
    local from = start and digits(oldest and block_of(start) or start)
    local all = oldest and redis.call('ZRANGEBYSCORE', blocks, from or '-inf', '+inf')
        or redis.call('ZREVRANGEBYSCORE', blocks, from or '+inf', '-inf')
    for at, block in ipairs(all) do
        if #page >= limit then break end
        local following
        if oldest then following = all[at + 1]
        else following = all[at - 1] or block_after(tonumber(block)) end
        visit(tonumber(block), following and tonumber(following))
    end
end
for _, id in ipairs(gone) do remove(id) end
return page
""",
)
