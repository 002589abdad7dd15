"""Commits on PostgreSQL as one statement, compiled for each shape of a commit.

A statement sees the database as it was when it began, also if it then waits for a lock. So it
notes the version of the session's row (`xmin`, which every change of the row changes), and takes
the row only in that version once it has the lock; a row that was missing it makes, unless
another writer does. If neither succeeds, nothing is written. Every commit changes the row's
version. So the commit that takes the row in the version that was seen has seen the newest state.

A commit that only appends, under no condition, needs to see nothing: it waits for the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import TextualSelect

from turnlog.stores.sqlalchemy.commits import Commit, Part
from turnlog.stores.sqlalchemy.shapes import Shape
from turnlog.stores.sqlalchemy.state import Fragments, selected, state_columns, state_query
from turnlog.stores.tables import LENGTH, filled

__all__ = ["compiled", "is_compilable"]

#: Longer ones are left to the transaction, which notes the length of "main" behind them.
_MOST_PAYLOADS = 1000

# Inserts the payloads in their order, in which `unnest` returns them. Their positions are drawn
# under the row's lock.
_ADD = """
    INSERT INTO {records} ({columns}, {payload}, created_at)
    SELECT {values}, unnest(CAST(:payloads{number} AS {array})), {record_time} FROM taken
    RETURNING id, created_at AS at
"""
# One alone needs no array, and no search for the last one.
_ADD_ONE = """
    INSERT INTO {records} ({columns}, {payload}, created_at)
    SELECT {values}, CAST(:payload{number} AS {one}), {record_time} FROM taken
    RETURNING id, created_at AS at
"""
_REMOVE = "DELETE FROM {records} WHERE {here} AND {inside} AND EXISTS (SELECT 1 FROM taken)"

# Takes the very version of the session's row that was seen, or makes the row that was missing.
_UPDATE = """
    UPDATE {sessions} r SET {sets} FROM seen
    WHERE r.session_id = {session} AND r.xmin = seen.version AND {conditions}
    RETURNING {at} AS at
"""
_MAKE = """
    INSERT INTO {sessions} AS r
        (session_id, created_at, updated_at, {main_last}, {main_length}{note_column})
    SELECT {session}, {created_now}, {updated_now}, 0, 0{note_value} FROM seen
    WHERE seen.version IS NULL AND {conditions}
    ON CONFLICT DO NOTHING
    RETURNING {at} AS at
"""
_UPDATED_OR_MADE = "SELECT at FROM updated UNION ALL SELECT at FROM made"

# Takes the row in any version. What was seen of "main" is noted if it is not outdated by then.
_TAKE = """
    INSERT INTO {sessions} AS r (session_id, created_at, updated_at, {main_last}, {main_length})
    VALUES ({session}, {created_now}, {updated_now}, 0, 0)
    ON CONFLICT (session_id) DO UPDATE SET {sets}
    RETURNING {at} AS at
"""
_SEE_MAIN = """
    SELECT s.updated_at, {main_count} AS length, {main_end} AS last
    FROM {sessions} s WHERE s.session_id = {session}
"""
_COUNT = """
    updated_at = {later},
    {main_last} = CASE WHEN r.updated_at = (SELECT updated_at FROM seen)
        THEN (SELECT last FROM seen) ELSE r.{main_last} END,
    {main_length} = CASE WHEN r.updated_at = (SELECT updated_at FROM seen)
        THEN (SELECT length FROM seen) ELSE r.{main_length} END
"""
_NOTE_MAIN = "{main_last} = {end}, {main_length} = seen.length{number}{less}"
_MAIN_END = "coalesce((SELECT max(id) FROM {messages} WHERE session_id = {session}), 0)"

# The row of another log
_NOTE_ADDED = """
    INSERT INTO {logs} AS r (session_id, name, last, length, created_at, updated_at, note)
    SELECT {session}, {name}, {added}
    ON CONFLICT (session_id, name) DO UPDATE SET
        last = excluded.last, length = r.length + excluded.length{less},
        updated_at = excluded.updated_at
"""
_HEAD_OF_ONE = "id, 1, at, at, '' FROM added{number}"
_HEAD_OF_SOME = "max(id), count(*), at, at, '' FROM added{number} GROUP BY at"
_NOTE_REMOVED = """
    UPDATE {logs} r
    SET last = seen.rest{number}, length = r.length{less}, updated_at = taken.at
    FROM seen, taken
    WHERE r.session_id = {session} AND r.name = {name} AND seen.loss{number} > 0
"""
_LESS = " - (SELECT loss{number} FROM seen)"
_NOTE_ANNOTATED = """
    INSERT INTO {logs} AS r (session_id, name, last, length, created_at, updated_at, note)
    SELECT {session}, {name}, 0, 0, at, at, {note} FROM taken
    ON CONFLICT (session_id, name) DO UPDATE SET
        note = excluded.note, updated_at = excluded.updated_at
"""

_KEEP_KEY = """
    INSERT INTO {writes} (session_id, day, hash, digest, positions)
    SELECT {session}, {day}, {hash}, {digest}, concat_ws(',', {ends}) FROM seen, taken
"""
_PURGE_KEYS = """
    DELETE FROM {writes} WHERE session_id = {session} AND day > 0 AND day < {today} - 1
        AND EXISTS (SELECT 1 FROM taken)
"""

_ADDED = "(SELECT max(id) FROM added{number})"
_ADDED_ONE = "(SELECT id FROM added{number})"


class _Step(NamedTuple):
    """A part of the statement: a query with a name, which may use those before it."""

    name: str
    query: str


def is_compilable(commit: Commit) -> bool:
    """Whether one statement can make `commit`. Those of runs all are."""
    return all(map(_is_compilable, commit.parts))


def _is_compilable(part: Part) -> bool:
    if part.forgets or part.shape.replaces or part.times is not None:
        return False
    if len(part.payloads) > _MOST_PAYLOADS:
        return False
    # Of another log, only one thing is written: its row can't be changed twice in a statement.
    return part.shape.is_main or part.annotation is None or not (part.payloads or part.removed)


def compiled(commit: Commit, shared: Mapping[str, str], of: Fragments) -> TextualSelect:
    """The statement for all commits with the shape of `commit`.

    shared: the fragments of all parts. of: those of one.
    """
    shared = {**shared, "main_end": filled(_MAIN_END, shared), "at": _at(commit, shared)}
    added = dict(_added(commit, of))
    if commit.is_unconditional:
        return _joined([*_taking(commit, shared), *_writing(commit, of)], added)
    steps = [*_guarding(commit, shared, of), *_writing(commit, of), *_keying(commit, shared, of)]
    seen = (*dict(state_columns(commit, of, lengths=False)), "version")
    results = {
        **(added or {"taken": "(SELECT count(*) FROM taken)"}),
        **{name: f"seen.{name}" for name in seen},
    }
    return _joined(steps, results, " FROM seen")


def _joined(steps: Iterable[_Step], results: Mapping[str, str], source: str = "") -> TextualSelect:
    listed = ",\n".join(f"{name} AS MATERIALIZED (\n{query}\n)" for name, query in steps)
    columns = ", ".join(f"{result} AS {name}" for name, result in results.items())
    return selected(f"WITH {listed}\nSELECT {columns}{source}", results)


def _at(commit: Commit, shared: Mapping[str, str]) -> str:
    """The time of the commit."""
    moves = commit.main is not None and commit.main.shape.is_sure
    return shared["moved_time" if moves else "taken_time"]


def _taking(commit: Commit, shared: Mapping[str, str]) -> Iterator[_Step]:
    """Takes the session's row, or makes it, whatever has happened."""
    sets = "created_at = r.created_at"
    if commit.counts:
        yield _Step("seen", filled(_SEE_MAIN, {"main_count": filled(LENGTH, shared)}, shared))
    if commit.main is not None:
        sets = filled(_COUNT if commit.counts else "updated_at = {later}", shared)
    yield _Step("taken", filled(_TAKE, shared, {"sets": sets}))


def _guarding(commit: Commit, shared: Mapping[str, str], of: Fragments) -> Iterator[_Step]:
    """Takes the session's row if it is as it was seen, and the conditions hold."""
    yield _Step("seen", state_query(commit, shared, of, {"version": "s.xmin"}, lengths=False))
    annotates = commit.main is not None and commit.main.shape.annotates
    fragments = {
        **shared,
        "sets": ", ".join(_sets(commit, shared, of)),
        "conditions": " AND ".join(_conditions(commit, of)) or "TRUE",
        "note_column": f", {shared['main_note']}" if annotates else "",
        "note_value": f", {of(commit.main)['note']}" if commit.main and annotates else "",
    }
    if not commit.makes or commit.needs_session:
        yield _Step("taken", filled(_UPDATE, fragments))
        return
    yield _Step("updated", filled(_UPDATE, fragments))
    yield _Step("made", filled(_MAKE, fragments))
    yield _Step("taken", _UPDATED_OR_MADE)


def _sets(commit: Commit, shared: Mapping[str, str], of: Fragments) -> Iterator[str]:
    """What becomes of the session's row. It gets another version in any case."""
    main = commit.main
    if main is None:
        yield "created_at = r.created_at"
        return
    number, shape, later = main.number, main.shape, shared["later"]
    changed = f"CASE WHEN seen.loss{number} > 0 THEN {later} ELSE r.updated_at END"
    yield f"updated_at = {later if shape.is_sure else changed}"
    if commit.counts:
        yield filled(_NOTE_MAIN, of(main), _before(main, shared))
    if shape.annotates:
        yield f"{shared['main_note']} = {of(main)['note']}"


def _before(main: Part, shared: Mapping[str, str]) -> dict[str, str]:
    """Where "main" ended before records were added: their positions are not known yet."""
    if main.shape.removes:
        return {"end": f"seen.rest{main.number}", "less": f" - seen.loss{main.number}"}
    if main.shape.needs_end:
        return {"end": f"seen.end{main.number}", "less": ""}
    return {"end": filled(_MAIN_END, shared), "less": ""}


def _conditions(commit: Commit, of: Fragments) -> Iterator[str]:
    if commit.key is not None:
        yield "seen.digest IS NULL"
    for part in commit.parts:
        if part.shape.checks:
            yield f"seen.end{part.number} = {of(part)['expect']}"
        if part.shape.compares:
            yield f"coalesce(seen.note{part.number}, '') = {of(part)['noted']}"
    if not commit.is_sure:
        losses = [f"seen.loss{part.number} > 0" for part in commit.parts if part.shape.removes]
        yield f"({' OR '.join(losses)})"


def _writing(commit: Commit, of: Fragments) -> Iterator[_Step]:
    """Writes what becomes of each log."""
    for part in commit.parts:
        shape, fragments = part.shape, of(part)
        less = {"less": filled(_LESS, fragments) if shape.removes else ""}
        if shape.removes:
            yield _Step(f"removed{part.number}", filled(_REMOVE, fragments))
        if shape.appends:
            add = _ADD_ONE if shape.is_single else _ADD
            yield _Step(f"added{part.number}", filled(add, fragments))
        if shape.writes and not shape.is_main:
            head = _HEAD_OF_ONE if shape.is_single else _HEAD_OF_SOME
            less["added"] = filled(head, fragments)
            yield _Step(f"noted{part.number}", filled(_note(shape), fragments, less))


def _note(shape: Shape) -> str:
    """The template that notes in the row of a log what was done to it."""
    if shape.annotates:
        return _NOTE_ANNOTATED
    return _NOTE_ADDED if shape.appends else _NOTE_REMOVED


def _keying(commit: Commit, shared: Mapping[str, str], of: Fragments) -> Iterator[_Step]:
    """Keeps the key, and forgets old ones."""
    if commit.key is None:
        return
    parts = {part.log: part for part in commit.parts}
    ends = (_end(parts[change.log], of) for change in commit.changes)
    yield _Step("kept", filled(_KEEP_KEY, shared, {"ends": ", ".join(ends)}))
    yield _Step("purged", filled(_PURGE_KEYS, shared))


def _end(part: Part, of: Fragments) -> str:
    """Where a log ends after the commit."""
    if part.shape.appends:
        return _last_added(part, of)
    return f"seen.{'rest' if part.shape.removes else 'end'}{part.number}"


def _last_added(part: Part, of: Fragments) -> str:
    return filled(_ADDED_ONE if part.shape.is_single else _ADDED, of(part))


def _added(commit: Commit, of: Fragments) -> Iterator[tuple[str, str]]:
    """Where logs end to which records were added; null if the session's row was not taken."""
    for part in commit.parts:
        if part.shape.appends:
            yield f"added{part.number}", _last_added(part, of)
