"""Tables of conversations on SQL databases: their names, SQLite's schema, and shared queries.

Two of them are those that users of the OpenAI Agents SDK already have, so that a database
made there opens here and the other way round. To the table of sessions we add columns that may
be null; all else that we add stands in tables of our own, where an SDK session of the same id
can't see it.

    agent_sessions                  one row a session
      + turnlog_agent_messages_last     where "main" ended after our last commit to it (0: empty)
      + turnlog_agent_messages_length   how many records it had then
      + turnlog_agent_messages_note     its note
    agent_messages                  records of the logs "main"
    turnlog_agent_messages_logs     one row for each other log; only we write to those
    turnlog_agent_messages_records  their records
    turnlog_agent_messages_writes   the keys of commits
    turnlog_schema                  the version of the schema, for each table of messages
"""

from __future__ import annotations

import re
import time
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import dedent

from turnlog.changes import Committed, Key
from turnlog.errors import SchemaError
from turnlog.records import Log

__all__ = [
    "COUNTED",
    "LENGTH",
    "MAIN_HEADS",
    "OLD_NOTE",
    "OLD_OTHER_HEADS",
    "OTHER_HEADS",
    "SQLITE_CHANGED",
    "Tables",
    "check_version",
    "days_of_known_keys",
    "filled",
    "key_day",
    "old_key_hash",
    "positions_text",
    "quoted",
    "replayed",
    "today",
]

_LONGEST_NAME = 500

#: Template of the heads of the logs "main". Such a log exists if it has a row in the sessions
#: table. Columns come in the order of `Head`; `length` and `note` are filled in for a version.
MAIN_HEADS = """
    SELECT s.session_id, 'main' AS name,
        coalesce((SELECT max(id) FROM {messages} m WHERE m.session_id = s.session_id), 0) AS last,
        {length} AS length,
        {created} AS created_at, {changed} AS changed, {note} AS note
    FROM {sessions} s
"""
#: Template of the length of "main" of a session `s`. The SDK adds at the end and removes the
#: newest. So what we noted holds as long as the record is there that was the last.
LENGTH = """
    CASE WHEN s.{main_last} = 0 OR EXISTS (
        SELECT 1 FROM {messages} m WHERE m.id = s.{main_last} AND m.session_id = s.session_id)
    THEN coalesce(s.{main_length} + (
            SELECT count(*) FROM {messages} m
            WHERE m.session_id = s.session_id AND m.id > s.{main_last}),
        {counted})
    ELSE {counted} END
"""
#: The same where we noted nothing: with the tables of the SDK alone, and in version 1.
COUNTED = "(SELECT count(*) FROM {messages} m WHERE m.session_id = s.session_id)"
#: Template of the heads of all other logs, in the same columns.
OTHER_HEADS = """
    SELECT l.session_id, l.name, l.last, l.length, l.created_at, l.updated_at, l.note
    FROM {logs} l
"""
#: Template of the heads of all other logs in version 1. A row "main" there has only a note.
OLD_OTHER_HEADS = """
    SELECT h.session_id, h.name,
        coalesce((SELECT max(id) FROM {records} r
                  WHERE r.session_id = h.session_id AND r.name = h.name), 0),
        (SELECT count(*) FROM {records} r
         WHERE r.session_id = h.session_id AND r.name = h.name),
        h.created_at, h.updated_at, h.note
    FROM {old_heads} h
"""
#: Template of the note of "main" of a session `s` in version 1.
OLD_NOTE = """
    (SELECT h.note FROM {old_heads} h WHERE h.session_id = s.session_id AND h.name = 'main')
"""
#: The time of `updated_at` of a session `s` on SQLite. The SDK's times have no fraction:
#: padding makes all of them comparable as text. The schema has an index on this expression.
SQLITE_CHANGED = "substr(coalesce(s.updated_at, s.created_at, '') || '.000000', 1, 26)"


@dataclass(frozen=True)
class Tables:
    """The names of one pair of shared tables, and of our tables beside them.

    Raises `ValueError` for a name that a table can't have.
    """

    sessions: str = "agent_sessions"
    messages: str = "agent_messages"

    def __post_init__(self) -> None:
        for role, name in (("sessions_table", self.sessions), ("messages_table", self.messages)):
            _check_name(role, name)
        if self.sessions.lower() == self.messages.lower():
            raise ValueError(f"sessions_table and messages_table are both {self.messages!r}")

    @property
    def folded(self) -> tuple[bytes, bytes]:
        """The names as SQLite compares them: it ignores the case of ASCII letters, of no others."""
        # `bytes.lower` does the same; `str.lower` changes other letters too.
        return self.sessions.encode().lower(), self.messages.encode().lower()

    def names(self, quoted: Callable[[str], str]) -> dict[str, str]:
        """All names, quoted, for the templates that `filled` takes."""
        roles = (
            "sessions",
            "messages",
            "records",
            "logs",
            "writes",
            "adopted",
            "old_heads",
            "old_keys",
        )
        columns = ("main_last", "main_length", "main_note")
        return {role: quoted(getattr(self, role)) for role in (*roles, *columns)}

    @property
    def records(self) -> str:
        """The table with the records of all logs but "main"."""
        return f"turnlog_{self.messages}_records"

    @property
    def logs(self) -> str:
        """The table with a row for each log but "main"."""
        return f"turnlog_{self.messages}_logs"

    @property
    def writes(self) -> str:
        """The table with the keys of commits."""
        return f"turnlog_{self.messages}_writes"

    @property
    def adopted(self) -> str:
        """The table with the branches that the SDK's AdvancedSQLiteSession made, and we took over.

        Only files that this class shares have it. "main" stands for the session.
        """
        return f"turnlog_{self.messages}_adopted"

    # The columns in the table of sessions. Two tables of messages may share that one.

    @property
    def main_last(self) -> str:
        """The column with the position at which "main" ended after our last commit to it."""
        return f"turnlog_{self.messages}_last"

    @property
    def main_length(self) -> str:
        """The column with the number of records that "main" had then."""
        return f"turnlog_{self.messages}_length"

    @property
    def main_note(self) -> str:
        """The column with the note of "main"; null if there is none."""
        return f"turnlog_{self.messages}_note"

    # What version 1 had

    @property
    def old_heads(self) -> str:
        """The table with a row for each log but "main", and the notes of all."""
        return f"turnlog_{self.messages}_heads"

    @property
    def old_keys(self) -> str:
        """The table with the keys of appends."""
        return f"turnlog_{self.messages}_keys"


def quoted(name: str) -> str:
    """`name` as standard SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def filled(template: str, *fragments: Mapping[str, object]) -> str:
    """The SQL of a template, with a fragment in place of each name in braces."""
    return dedent(template).strip().format_map(ChainMap(*map(dict, reversed(fragments))))


def today() -> int:
    """Days since the epoch, by which brief keys are purged."""
    return int(time.time() // 86_400)


def key_day(key: Key, today: int) -> int:
    """The day under which `key` is stored: 0 if it stays as long as the session.

    The day comes before the hash in the primary key. So old brief keys, those of the days 1 to
    ``today - 2``, are found and purged without a look at the other keys.
    """
    return today if key.brief else 0


def days_of_known_keys(today: int) -> tuple[int, int, int, int]:
    """The days under which a key may be stored, for clocks that differ by hours."""
    return 0, today - 1, today, today + 1


def positions_text(done: Committed) -> str:
    """The positions of a commit, as they are stored with its key: "12,13"."""
    return ",".join(map(str, done.positions))


def replayed(key: Key, digest: bytes, positions: str) -> Committed:
    """The result of the first commit with `key`, from what was stored with it."""
    key.check_digest(digest)
    return Committed(tuple(map(int, positions.split(","))), replayed=True)


def check_version(tables: Tables, found: int, newest: int) -> int:
    """`found`, the version of the schema. Raises `SchemaError` if it is newer than this code."""
    if found > newest:
        raise SchemaError(
            f"the tables of {tables.messages!r} have schema version {found}, and this "
            f"turnlog knows versions up to {newest}: upgrade turnlog"
        )
    return found


def old_key_hash(name: str, key: str) -> bytes:
    """The hash of the key that version 1 kept for one log."""
    return Key.of(Log("", name), key).hash


def _check_name(role: str, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{role} must be a str, not {type(name).__name__}")
    if not name or len(name) > _LONGEST_NAME or re.search("[\x00\ud800-\udfff]", name):
        raise ValueError(
            f"{role} must have 1 to {_LONGEST_NAME} characters, without NUL and lone surrogates"
        )
    if name.lower().startswith(("sqlite_", "turnlog_")):
        raise ValueError(
            f"{role} is {name!r}; names that begin with sqlite_ or turnlog_ are reserved"
        )
