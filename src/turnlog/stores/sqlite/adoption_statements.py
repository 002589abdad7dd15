"""Statements of adoption: the SQL of our commits in a file that the SDK's class shares.

`turnlog.stores.sqlite.adoption` says when each of them runs. The first parameter is the session.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from turnlog.stores.sqlite.foreign_logs import foreign_records
from turnlog.stores.sqlite.structure import Structure
from turnlog.stores.tables import Tables, filled, quoted
from turnlog.stores.tables_structure import STRUCTURE_ROWS

__all__ = [
    "CLEARED",
    "DELETED",
    "FORGET_BRANCH",
    "NEWEST",
    "RENUMBER",
    "AdoptionStatements",
    "adoption_statements",
]

_SHARED = Structure(has_reservations=True, is_shared=True)

_STATE = """
    SELECT coalesce(s.{main_last}, 0), EXISTS (
        SELECT 1 FROM {adopted} a WHERE a.session_id = ?1)
    FROM (SELECT 1) LEFT JOIN {sessions} s ON s.session_id = ?1
"""

# Messages without rows. They are looked for behind the last one that surely has one.
_LACKING = """
    id > ?2 AND NOT EXISTS (SELECT 1 FROM message_structure t
        WHERE t.session_id = ?1 AND t.message_id = {messages}.id)
"""
_FIRST_LACKING = f"SELECT min(id) FROM {{messages}} WHERE session_id = ?1 AND {_LACKING.strip()}"
NEWEST = """
    SELECT message_id FROM message_structure WHERE session_id = ?1 AND branch_id = 'main'
    ORDER BY sequence_number DESC LIMIT 1
"""
_DANGLING = """
    DELETE FROM message_structure WHERE session_id = ?1 AND message_id NOT IN (
        SELECT id FROM {messages} WHERE session_id = ?1)
"""
# "main" is in the order of ids. So after a row in between, all are numbered anew, and the usage
# of each turn follows it; by way of negative numbers, since two turns may not have the same.
_NEW_NUMBERS = """
    SELECT id, user_turn_number AS old_turn, message_type,
        row_number() OVER (ORDER BY message_id) AS place,
        count(CASE WHEN message_type = 'user' THEN 1 END) OVER (ORDER BY message_id) AS turn
    FROM message_structure WHERE session_id = ?1 AND branch_id = 'main'
"""
RENUMBER = (
    f"""
    UPDATE turn_usage SET user_turn_number = -1 - n.turn
    FROM (SELECT old_turn, min(turn) AS turn FROM ({_NEW_NUMBERS.strip()})
        WHERE message_type = 'user' GROUP BY old_turn) n
    WHERE session_id = ?1 AND branch_id = 'main' AND user_turn_number = n.old_turn
    """,
    """
    UPDATE turn_usage SET user_turn_number = -1 - user_turn_number
    WHERE session_id = ?1 AND branch_id = 'main' AND user_turn_number < 0
    """,
    f"""
    UPDATE message_structure SET user_turn_number = n.turn, branch_turn_number = n.turn,
        sequence_number = n.place + (
            SELECT max(sequence_number) FROM message_structure WHERE session_id = ?1)
    FROM ({_NEW_NUMBERS.strip()}) n WHERE message_structure.id = n.id
    """,
)

# The foreign logs, but those of branches under whose name we have a log.
_FOREIGN = """
    FROM ({foreign}) v WHERE NOT EXISTS (
        SELECT 1 FROM {logs} l WHERE l.session_id = ?1 AND l.name = v.branch)
"""
_FOREIGN_NAMES = f"SELECT DISTINCT v.name {_FOREIGN.strip()}"
_ARE_FREE = "SELECT NOT EXISTS (SELECT 1 FROM ({foreign}) v JOIN {records} r ON r.id = v.id)"
_COPY = f"""
    INSERT INTO {{records}} (id, session_id, name, payload, created_at)
    SELECT CASE WHEN ?2 AND NOT EXISTS (
            SELECT 1 FROM {{logs}} l WHERE l.session_id = ?1 AND l.name = v.name) THEN v.id END,
        ?1, v.name, v.payload, v.created_at
    {_FOREIGN.strip()} ORDER BY v.id
"""
_PUT_HEAD = """
    INSERT INTO {logs} (session_id, name, last, length, note, created_at, updated_at)
    SELECT ?1, ?2, max(id), count(*), x'', min(created_at),
        substr(max(created_at) || '.000000', 1, 26)
    FROM {records} WHERE session_id = ?1 AND name = ?2
    ON CONFLICT (session_id, name) DO UPDATE SET last = excluded.last, length = excluded.length
"""
_ADOPT = "INSERT OR IGNORE INTO {adopted} (session_id, branch_id) VALUES (?1, ?2)"
_MARK = """
    INSERT OR IGNORE INTO {adopted} (session_id, branch_id)
    SELECT session_id, 'main' FROM {sessions} WHERE session_id = ?1
"""

_RESERVE = """
    INSERT OR IGNORE INTO branch_reservations (session_id, branch_id)
    SELECT ?1, json_extract(CAST(payload AS TEXT), '$.name') FROM {records}
    WHERE session_id = ?1 AND name = ':branches' AND json_valid(CAST(payload AS TEXT))
        AND json_type(CAST(payload AS TEXT), '$.name') = 'text'
"""
# The newest runs are enough: a turn's runs follow each other.
_NOTE_USAGE = """
    WITH recent AS (
        SELECT id, payload, json_extract(payload, '$.run') AS run,
            json_extract(payload, '$.position') AS position
        FROM (SELECT id, CAST(payload AS TEXT) AS payload FROM {records}
            WHERE session_id = ?1 AND name = ':usage' ORDER BY id DESC LIMIT 200)
        WHERE json_valid(payload)),
    counted AS (
        SELECT * FROM recent WHERE id IN (SELECT max(id) FROM recent GROUP BY run)
            AND position IN (SELECT position FROM recent WHERE id > ?2))
    INSERT INTO turn_usage (session_id, branch_id, user_turn_number, requests, input_tokens,
        output_tokens, total_tokens, input_tokens_details, output_tokens_details)
    SELECT ?1, 'main', s.user_turn_number,
        total(json_extract(payload, '$.requests')),
        total(json_extract(payload, '$.input_tokens')),
        total(json_extract(payload, '$.output_tokens')),
        total(json_extract(payload, '$.input_tokens'))
            + total(json_extract(payload, '$.output_tokens')),
        json_object('cached_tokens',
            CAST(total(json_extract(payload, '$.cached_tokens')) AS INTEGER)),
        json_object('reasoning_tokens',
            CAST(total(json_extract(payload, '$.reasoning_tokens')) AS INTEGER))
    FROM counted c JOIN message_structure s
        ON s.session_id = ?1 AND s.message_id = c.position AND s.branch_id = 'main'
    WHERE true GROUP BY s.user_turn_number
    ON CONFLICT (session_id, branch_id, user_turn_number) DO UPDATE SET
        requests = excluded.requests, input_tokens = excluded.input_tokens,
        output_tokens = excluded.output_tokens, total_tokens = excluded.total_tokens,
        input_tokens_details = excluded.input_tokens_details,
        output_tokens_details = excluded.output_tokens_details
"""
_NOTING = "UPDATE {adopted} SET is_noting = ?2 WHERE session_id = ?1 AND branch_id = 'main'"
_LAST_USAGE = "SELECT last FROM {logs} WHERE session_id = ?1 AND name = ':usage'"

# Deleting one of its branches, which we have adopted.
_FORGET_ADOPTED = "DELETE FROM {adopted} WHERE session_id = ?1 AND branch_id = ?2"
FORGET_BRANCH = (
    "DELETE FROM message_structure WHERE session_id = ?1 AND branch_id = ?2",
    "DELETE FROM turn_usage WHERE session_id = ?1 AND branch_id = ?2",
)
_UNUSED = """
    DELETE FROM {messages} WHERE session_id = ?1 AND NOT EXISTS (
        SELECT 1 FROM message_structure s
        WHERE s.session_id = ?1 AND s.message_id = {messages}.id)
"""
# Its instances compare this number and go back to "main". A row with 0 would call the guard.
CLEARED = """
    INSERT INTO session_clear_generations (session_id, generation) VALUES (?1, 1)
    ON CONFLICT (session_id) DO UPDATE SET generation = generation + 1
"""
DELETED = (
    "DELETE FROM message_structure WHERE session_id = ?1",
    "DELETE FROM turn_usage WHERE session_id = ?1",
    "DELETE FROM branch_reservations WHERE session_id = ?1",
)


class AdoptionStatements(NamedTuple):
    """SQL for one pair of tables."""

    state: str
    first_lacking: str
    structure: str
    dangling: str
    are_free: str
    foreign_names: str
    copy: str
    put_head: str
    adopt: str
    mark: str
    reserve: str
    note_usage: str
    noting: str
    last_usage: str
    forget_adopted: str
    unused: str


@lru_cache(maxsize=64)
def adoption_statements(tables: Tables) -> AdoptionStatements:
    """The statements for `tables`."""
    names = tables.names(quoted)
    names["foreign"] = foreign_records(names, _SHARED)
    structure = {"session": "?1", "lacking": filled(_LACKING, names)}
    return AdoptionStatements(
        state=filled(_STATE, names),
        first_lacking=filled(_FIRST_LACKING, names),
        structure=filled(STRUCTURE_ROWS, names, structure),
        dangling=filled(_DANGLING, names),
        are_free=filled(_ARE_FREE, names),
        foreign_names=filled(_FOREIGN_NAMES, names),
        copy=filled(_COPY, names),
        put_head=filled(_PUT_HEAD, names),
        adopt=filled(_ADOPT, names),
        mark=filled(_MARK, names),
        reserve=filled(_RESERVE, names),
        note_usage=filled(_NOTE_USAGE, names),
        noting=filled(_NOTING, names),
        last_usage=filled(_LAST_USAGE, names),
        forget_adopted=filled(_FORGET_ADOPTED, names),
        unused=filled(_UNUSED, names),
    )
