"""State before a commit: one query for all that it has to know, of all its logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from sqlalchemy import TextualSelect, column, text

from turnlog.stores.sqlalchemy.commits import Commit, Part, Seen
from turnlog.stores.sqlalchemy.places import Kinds
from turnlog.stores.tables import LENGTH, filled

__all__ = [
    "JOIN_KEY",
    "Fragments",
    "old_state_query",
    "selected",
    "state_columns",
    "state_query",
    "state_seen",
]

#: The fragments of templates for a part of a commit.
Fragments: TypeAlias = Callable[[Part], Mapping[str, str]]

_COUNTED_END = "coalesce((SELECT max(id) FROM {records} WHERE {here}), 0)"
_END = Kinds(_COUNTED_END, "coalesce(l{number}.last, 0)")
_LENGTH = "coalesce(l{number}.length, 0)"
_NOTE = Kinds("s.{main_note}", "l{number}.note")
_LOSS = "(SELECT count(*) FROM {records} WHERE {here} AND {inside})"
# Sorted backwards: what goes are most often the newest records.
_REST = """
    coalesce((SELECT id FROM {records} WHERE {here} AND NOT ({inside})
              ORDER BY id DESC LIMIT 1), 0)
"""
_QUERY = """
    SELECT {columns}
    FROM (SELECT 1 AS one) AS one
    LEFT JOIN {sessions} s ON s.session_id = {session}
    {joins}
"""
_JOIN_LOG = """
    LEFT JOIN {logs} l{number} ON l{number}.session_id = {session} AND l{number}.name = {name}
"""
#: Finds the row `w` of the key. Processes whose clocks differ may store one key under different
#: days.
JOIN_KEY = """
    LEFT JOIN {writes} w ON w.session_id = {session} AND w.hash = {hash}
        AND w.day IN (0, {today} - 1, {today}, {today} + 1)
"""


def state_query(
    commit: Commit,
    shared: Mapping[str, str],
    of: Fragments,
    more: Mapping[str, str],
    *,
    lengths: bool,
) -> str:
    """The SELECT.

    shared: the fragments of all parts.
    more: more columns, with their names.
    lengths: also those of logs but "main". Its own is among the columns if it is noted.
    """
    columns = dict(state_columns(commit, of, lengths=lengths)) | dict(more)
    joins = list(_joins(commit, shared, of))
    return filled(_QUERY, shared, {"columns": _listed(columns), "joins": "\n".join(joins)})


def old_state_query(commit: Commit, of: Fragments, is_there: Kinds[bool]) -> str:
    """The same on tables of an older version. It tells where the logs end, and knows no key.

    is_there: whether the records of logs have a table.
    """
    ends = {
        f"end{part.number}": filled(_COUNTED_END, of(part)) if is_there.of(part.log) else "0"
        for part in commit.parts
    }
    return f"SELECT {_listed(ends)}"


def state_seen(commit: Commit, found: Mapping[Any, Any]) -> Seen:
    """What the query found."""
    parts = commit.parts
    removing = [part for part in parts if part.shape.removes]
    digest = found.get("digest")
    return Seen(
        {part.log: int(found[f"end{part.number}"]) for part in parts if part.shape.needs_end},
        {part.log: found[f"note{part.number}"] or b"" for part in parts if part.shape.needs_note},
        {part.log: int(found[f"loss{part.number}"]) for part in removing},
        {part.log: int(found[f"rest{part.number}"]) for part in removing},
        None if digest is None else (bytes(digest), found["positions"]),
    )


def selected(query: str, names: Iterable[str]) -> TextualSelect:
    """`query`, of which SQLAlchemy need not find out the columns each time.

    names: those of all its columns, in order.
    """
    return text(query).columns(*(column(name) for name in names))


def state_columns(commit: Commit, of: Fragments, *, lengths: bool) -> Iterator[tuple[str, str]]:
    """The columns of the query, by their names."""
    for part in commit.parts:
        for name, template in _templates(part):
            yield f"{name}{part.number}", filled(template, of(part))
        if part.shape.is_main:
            if commit.counts:
                yield f"length{part.number}", filled(LENGTH, of(part))
        elif part.shape.writes and lengths:
            yield f"length{part.number}", filled(_LENGTH, of(part))
    if commit.key is not None:
        yield "digest", "w.digest"
        yield "positions", "w.positions"


def _templates(part: Part) -> Iterator[tuple[str, str]]:
    if part.shape.needs_end:
        yield "end", _END.of(part.log)
    if part.shape.needs_note:
        yield "note", _NOTE.of(part.log)
    if part.shape.removes:
        yield "loss", _LOSS
        yield "rest", _REST


def _joins(commit: Commit, shared: Mapping[str, str], of: Fragments) -> Iterator[str]:
    for part in commit.parts:
        if not part.shape.is_main:
            yield filled(_JOIN_LOG, of(part))
    if commit.key is not None:
        yield shared["join_key"]


def _listed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{column} AS {name}" for name, column in columns.items()) or "1 AS one"
