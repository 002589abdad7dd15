"""Adoption: our commits in a file that the SDK's AdvancedSQLiteSession shares.

Its class shows a message only if it has a row in "message_structure". So in one transaction:

    settle   The first commit of ours to a conversation copies the foreign logs into our tables.
             Every commit gives rows to what plain sessions have added since our last one.
    write    as always, on the part of the messages that is on "main"
    follow   New messages get their rows; names of branches, usage, deletions are told its class.

The branches that it had stay in its tables as they were. What it does to them later is not seen
by us, and what we do to ours is not seen by it, until one side deletes a branch or clears.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from turnlog.changes import Append, Change, Forget, Remove
from turnlog.stores.sqlite.foreign_logs import foreign_records
from turnlog.stores.sqlite.sharing import share
from turnlog.stores.sqlite.statements import Statements, statements_for
from turnlog.stores.sqlite.structure import Structure
from turnlog.stores.tables import Tables, filled, quoted
from turnlog.stores.tables_structure import STRUCTURE_ROWS

__all__ = ["Adoption"]

T = TypeVar("T")

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
_NEWEST = """
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
_RENUMBER = (
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
_FORGET_BRANCH = (
    "DELETE FROM message_structure WHERE session_id = ?1 AND branch_id = ?2",
    "DELETE FROM turn_usage WHERE session_id = ?1 AND branch_id = ?2",
)
_UNUSED = """
    DELETE FROM {messages} WHERE session_id = ?1 AND NOT EXISTS (
        SELECT 1 FROM message_structure s
        WHERE s.session_id = ?1 AND s.message_id = {messages}.id)
"""
# Its instances compare this number and go back to "main". A row with 0 would call the guard.
_CLEARED = """
    INSERT INTO session_clear_generations (session_id, generation) VALUES (?1, 1)
    ON CONFLICT (session_id) DO UPDATE SET generation = generation + 1
"""
_DELETED = (
    "DELETE FROM message_structure WHERE session_id = ?1",
    "DELETE FROM turn_usage WHERE session_id = ?1",
    "DELETE FROM branch_reservations WHERE session_id = ?1",
)


class _Statements(NamedTuple):
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
def _statements_for(tables: Tables) -> _Statements:
    names = tables.names(quoted)
    names["foreign"] = foreign_records(names, _SHARED)
    structure = {"session": "?1", "lacking": filled(_LACKING, names)}
    return _Statements(
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


class Adoption:
    """One commit of ours to `session`, in a file that is shared.

    found: what the file has of that class's tables.
    """

    def __init__(
        self, cursor: sqlite3.Cursor, tables: Tables, session: str, found: Structure
    ) -> None:
        if not found.is_shared:
            share(cursor, tables)
        self._cursor = cursor
        self._session = session
        self._tables = tables
        self._sql = _statements_for(tables)
        #: Messages up to this one have rows.
        self._structured, is_adopted = self._one(self._sql.state)
        self._is_adopted = bool(is_adopted)

    def around(self, changes: Sequence[Change], write: Callable[[Statements], T]) -> T:
        """Make `changes` by `write`, with what belongs to them in that class's tables."""
        self.settle()
        usage = self._last_usage() if _names_log(changes, ":usage") else 0
        done = write(statements_for(self._tables, is_shared=True))
        self._follow(changes, usage)
        return done

    def settle(self) -> None:
        """Bring the conversation to where our commits can begin."""
        if not self._is_adopted:
            self._structured = 0
            self._cursor.execute(self._sql.dangling, (self._session,))
        self._give_rows()
        if not self._is_adopted:
            self._adopt()

    def delete(self) -> None:
        """Delete what that class has of the session, but the number by which it notices."""
        self._execute(_CLEARED, *_DELETED)

    def _adopt(self) -> None:
        names = [
            name for (name,) in self._cursor.execute(self._sql.foreign_names, (self._session,))
        ]
        if names:
            [are_free] = self._one(self._sql.are_free)
            self._cursor.execute(self._sql.copy, (self._session, are_free))
        for name in names:
            self._cursor.execute(self._sql.put_head, (self._session, name))
            if not name.startswith(":"):
                self._cursor.execute(self._sql.adopt, (self._session, name))
        self._execute(self._sql.mark)

    def _give_rows(self) -> None:
        """Give rows to the messages that have none, each at its place on "main"."""
        first = self._first_lacking()
        if first is None:
            return
        newest = self._cursor.execute(_NEWEST, (self._session,)).fetchone()
        self._cursor.execute(self._sql.structure, (self._session, self._structured))
        if newest and newest[0] > first:
            self._execute(*_RENUMBER)

    def _first_lacking(self) -> int | None:
        values = (self._session, self._structured)
        [first] = self._cursor.execute(self._sql.first_lacking, values).fetchone()
        return None if first is None else int(first)

    def _follow(self, changes: Sequence[Change], usage: int) -> None:
        if not self._is_adopted:
            self._execute(self._sql.mark)
        if _names_log(changes, "main"):
            self._cursor.execute(self._sql.structure, (self._session, self._structured))
        for change in changes:
            match change:
                case Append(":branches"):
                    self._execute(self._sql.reserve)
                # With 1, it may be a pop of the first message in the file.
                case Forget("main", expect) | Remove("main", 0, None, expect) if expect != 1:
                    self._execute(_CLEARED)
                case Forget(name) if not name.startswith(":"):
                    self._forget(name)
        if _names_log(changes, ":usage"):
            self._note_usage(usage)

    def _note_usage(self, before: int) -> None:
        """Tell that class what was spent on the turns of the records behind `before`."""
        self._cursor.execute(self._sql.noting, (self._session, 1))
        self._cursor.execute(self._sql.note_usage, (self._session, before))
        self._cursor.execute(self._sql.noting, (self._session, 0))

    def _forget(self, name: str) -> None:
        at = (self._session, name)
        if self._cursor.execute(self._sql.forget_adopted, at).rowcount:
            for statement in _FORGET_BRANCH:
                self._cursor.execute(statement, at)
            self._execute(self._sql.unused)

    def _last_usage(self) -> int:
        row = self._cursor.execute(self._sql.last_usage, (self._session,)).fetchone()
        return int(row[0]) if row else 0

    def _one(self, statement: str) -> tuple[int, ...]:
        row: tuple[int, ...] = self._cursor.execute(statement, (self._session,)).fetchone()
        return row

    def _execute(self, *statements: str) -> None:
        for statement in statements:
            self._cursor.execute(statement, (self._session,))


def _names_log(changes: Iterable[Change], name: str) -> bool:
    """Whether `changes` add to the log `name`."""
    return any(isinstance(change, Append) and change.log == name for change in changes)
