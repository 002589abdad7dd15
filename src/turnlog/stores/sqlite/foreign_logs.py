"""Foreign logs: what the SDK's AdvancedSQLiteSession keeps, as logs of ours.

    its branch b                      the log b
    its rows in turn_usage            records in ":usage" and ":usage@b", one for each turn
    its names in branch_reservations  records in ":branches"

They are read in its tables until our first commit to the conversation copies them into ours,
under the same positions. Then its rows of other branches are no longer ours. A log that we had
before, under the name of one of its branches, stays what it is, and its branch is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from turnlog.stores.sqlite.structure import Structure
from turnlog.stores.tables import filled

__all__ = [
    "USAGE_RECORD",
    "Kind",
    "foreign_heads",
    "foreign_log",
    "foreign_records",
    "indexed_main",
    "kind_of",
    "main_of",
    "usage_fragments",
]

#: The records of its tables have positions of this many, times their row's id, plus a number for
#: each kind. So they are free in our table of records unless that has grown by a million since.
_SPREAD = 1 << 20

# The messages that are on "main": those that plain sessions stored have no structure at all.
_INDEXED = """
    (SELECT * FROM {messages} all_messages WHERE EXISTS (
        SELECT 1 FROM message_structure s WHERE s.session_id = all_messages.session_id
            AND s.message_id = all_messages.id AND s.branch_id = 'main')
    OR NOT EXISTS (
        SELECT 1 FROM message_structure s WHERE s.session_id = all_messages.session_id
            AND s.message_id = all_messages.id))
"""
# The same without our index.
_LISTED = """
    (SELECT * FROM {messages} WHERE id NOT IN (
        SELECT message_id FROM message_structure WHERE branch_id <> 'main' {and_here}
        EXCEPT SELECT message_id FROM message_structure WHERE branch_id = 'main' {and_here}))
"""

#: Template of the position of the first record of a row's turn; -1 if the turn is gone. Wants
#: `usage`, the alias of the row.
_TURN = """
    CASE {usage}.user_turn_number WHEN 0 THEN 0 ELSE coalesce((
        SELECT CASE f.branch_id WHEN 'main' THEN f.message_id ELSE f.id * {spread} + 1 END
        FROM message_structure f
        WHERE f.session_id = {usage}.session_id AND f.branch_id = {usage}.branch_id
            AND f.user_turn_number = {usage}.user_turn_number
        ORDER BY f.sequence_number LIMIT 1), -1) END
"""
_DETAILS = "CASE WHEN json_valid({usage}.{kind}) THEN {usage}.{kind} END"
#: Template of the payload of a usage record; the same wants. That class keeps one row a turn and
#: replaces it, and so does the id: of records with one run, the last one counts.
USAGE_RECORD = f"""
    CAST(json_object('run', 'sdk:' || {{usage}}.branch_id || ':' || coalesce(
            nullif({_TURN.strip()}, -1), 'row ' || {{usage}}.id),
        'position', {_TURN.strip()}, 'agent', '', 'model', '',
        'requests', coalesce({{usage}}.requests, 0),
        'input_tokens', coalesce({{usage}}.input_tokens, 0),
        'output_tokens', coalesce({{usage}}.output_tokens, 0),
        'cached_tokens', coalesce(json_extract({{inputs}}, '$.cached_tokens'), 0),
        'reasoning_tokens', coalesce(json_extract({{outputs}}, '$.reasoning_tokens'), 0),
        'input_details', json({{inputs}}), 'output_details', json({{outputs}}),
        'at', CAST(strftime('%s', {{usage}}.created_at) AS INTEGER)) AS BLOB)
"""
# Its branches, and beside each record the branch that it is about. A branch cannot be named as our
# auxiliary logs are.
_NAMED = "{branch_id} <> '' AND {branch_id} NOT LIKE ':%'"
_BRANCHES = f"""
    SELECT s.id * {{spread}} + 1 AS id, s.branch_id AS name, s.branch_id AS branch,
        CAST(m.message_data AS BLOB) AS payload, m.created_at
    FROM message_structure s JOIN {{messages}} m ON m.id = s.message_id
    WHERE s.session_id = ?1 AND s.branch_id <> 'main' AND {_NAMED.format(branch_id="s.branch_id")}
"""
_USAGE_NAME = "CASE u.branch_id WHEN 'main' THEN ':usage' ELSE ':usage@' || u.branch_id END"
_USAGE = f"""
    SELECT u.id * {{spread}} + 2 AS id, {_USAGE_NAME} AS name, u.branch_id AS branch,
        {USAGE_RECORD.strip()} AS payload, u.created_at
    FROM turn_usage u
    WHERE u.session_id = ?1 AND {_NAMED.format(branch_id="u.branch_id")}
"""
# A branch begins with copies, which share the messages of the branch that it comes from. The last
# of them tells which one: the branch on which its message was first.
_NAMES = f"""
    SELECT coalesce(b.first * {{spread}} + 3, r.number * {{spread}} + 4) AS id,
        ':branches' AS name, r.branch_id AS branch,
        CAST(json_object('name', r.branch_id, 'parent', coalesce(o.branch_id, 'main'),
            'position', CASE WHEN o.id IS NULL THEN 0 WHEN o.branch_id = 'main'
                THEN o.message_id ELSE o.id * {{spread}} + 1 END,
            'at', CAST(strftime('%s', coalesce(b.at, t.created_at)) AS INTEGER)) AS BLOB)
            AS payload,
        coalesce(b.at, t.created_at) AS created_at
    FROM ({{reserved}}) r
    JOIN (SELECT coalesce(max(created_at), CURRENT_TIMESTAMP) AS created_at
        FROM {{sessions}} WHERE session_id = ?1) t
    LEFT JOIN (
        SELECT s.branch_id, min(s.id) AS first, min(s.created_at) AS at,
            max(CASE WHEN f.id < s.id THEN f.id END) AS origin
        FROM message_structure s JOIN (
            SELECT message_id, min(id) AS id FROM message_structure
            WHERE session_id = ?1 GROUP BY message_id) f ON f.message_id = s.message_id
        WHERE s.session_id = ?1 GROUP BY s.branch_id) b ON b.branch_id = r.branch_id
    LEFT JOIN message_structure o ON o.id = b.origin
    WHERE r.branch_id <> 'main' AND {_NAMED.format(branch_id="r.branch_id")}
"""
_RESERVED = """
    SELECT branch_id, min(number) AS number FROM (
        SELECT branch_id, rowid AS number FROM branch_reservations WHERE session_id = ?1
        UNION ALL SELECT branch_id, id FROM message_structure WHERE session_id = ?1)
    GROUP BY branch_id
"""
_UNRESERVED = """
    SELECT branch_id, min(id) AS number FROM message_structure
    WHERE session_id = ?1 GROUP BY branch_id
"""

# Which of these are shown: `ours` has the conditions that need our tables.
_ALL = f"{_BRANCHES} UNION ALL {_USAGE} UNION ALL {_NAMES}"
_LOG = "SELECT id, payload, created_at FROM ({log}) v WHERE v.name = ?2 AND {unless}"
_WITH_OURS = """
    SELECT id, payload, created_at FROM {records} WHERE session_id = ?1 AND name = ?2 UNION ALL
"""
_HEADS = """
    SELECT ?1, v.name, max(v.id), count(*), min(v.created_at),
        substr(max(v.created_at) || '.000000', 1, 26), x''
    FROM ({all}) v WHERE {unless} GROUP BY v.name
"""
_UNLESS_OURS = """
    NOT EXISTS (SELECT 1 FROM {logs} l WHERE l.session_id = ?1 AND l.name IN (v.name, v.branch))
"""
_UNLESS_ADOPTED = "NOT EXISTS (SELECT 1 FROM {adopted} a WHERE a.session_id = ?1)"


def indexed_main(names: Mapping[str, str]) -> str:
    """`main_of` in a file that we share, which has our index."""
    return filled(_INDEXED, names)


def main_of(names: Mapping[str, str], structure: Structure, *, one: bool) -> str:
    """The part of the table of messages that is on "main", as a table of a query.

    one: the query is about one session, its first parameter.
    """
    if structure.is_shared:
        return indexed_main(names)
    return filled(_LISTED, names, {"and_here": "AND session_id = ?1" if one else ""})


class Kind(Enum):
    """The kinds of logs that the SDK's advanced class knows of."""

    BRANCH = _BRANCHES
    USAGE = _USAGE
    NAMES = _NAMES
    OTHER = ""


def kind_of(name: str) -> Kind:
    """The kind of the log `name`, which is not "main"."""
    if not name.startswith(":"):
        return Kind.BRANCH
    if name == ":branches":
        return Kind.NAMES
    return Kind.USAGE if name == ":usage" or name.startswith(":usage@") else Kind.OTHER


def foreign_log(
    names: Mapping[str, str], structure: Structure, kind: Kind, *, has_ours: bool
) -> str:
    """A table with the columns of a log's records. Session and name are the first parameters.

    has_ours: whether our tables are there too.
    """
    log = filled(kind.value, _fragments(names, structure))
    foreign = filled(_LOG, {"log": log, "unless": _unless(names, structure, has_ours=has_ours)})
    return f"({filled(_WITH_OURS, names) if has_ours else ''} {foreign})"


def foreign_heads(names: Mapping[str, str], structure: Structure, *, has_ours: bool) -> str:
    """A query for the heads of the foreign logs of a session, its first parameter."""
    unless = _unless(names, structure, has_ours=has_ours)
    return filled(_HEADS, {"all": foreign_records(names, structure), "unless": unless})


def foreign_records(names: Mapping[str, str], structure: Structure) -> str:
    """A query for the records of the foreign logs of a session, its first parameter.

    Columns: id, name, branch (which the record is about), payload, created_at.
    """
    return filled(_ALL, _fragments(names, structure))


def usage_fragments(row: str) -> Mapping[str, str]:
    """The fragments of `USAGE_RECORD` for a row of "turn_usage" with the alias `row`."""
    return {
        "usage": row,
        "inputs": filled(_DETAILS, {"usage": row, "kind": "input_tokens_details"}),
        "outputs": filled(_DETAILS, {"usage": row, "kind": "output_tokens_details"}),
        "spread": str(_SPREAD),
    }


def _fragments(names: Mapping[str, str], structure: Structure) -> dict[str, str]:
    reserved = _RESERVED if structure.has_reservations else _UNRESERVED
    return {**names, **usage_fragments("u"), "reserved": reserved}


def _unless(names: Mapping[str, str], structure: Structure, *, has_ours: bool) -> str:
    conditions = [_UNLESS_OURS] * has_ours + [_UNLESS_ADOPTED] * structure.is_shared
    return filled(" AND ".join(conditions) or "1", names)
