"""Commits as short transactions, which take the session's row first.

What is read after that is what was committed before, and no other commit to the session comes
between until the end. PostgreSQL does it for commits that are not one statement.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, text

from turnlog.changes import Committed, Replace
from turnlog.stores.clock import micros
from turnlog.stores.sqlalchemy.commits import Commit, Part, Seen
from turnlog.stores.sqlalchemy.deletion import LOCK
from turnlog.stores.sqlalchemy.dialect import Abandoned, Dialect
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.places import Kinds
from turnlog.stores.sqlalchemy.replacing import Replacing
from turnlog.stores.sqlalchemy.state import state_seen
from turnlog.stores.tables import Tables, filled, positions_text

__all__ = ["RowByRow", "Templates", "Transactional"]


class Templates(NamedTuple):
    """The statements of a transaction, as one kind of database has them."""

    #: Makes the session, or locks it and marks its log "main" as changed now.
    touch: str
    #: Makes the session, or locks it.
    hold: str
    #: Makes the row of another log, or sets its end and its length.
    note_log: str
    #: Marks the log "main" as changed now.
    move: str
    #: Locks the session. On PostgreSQL its row gets another version, as `compiled` needs it.
    lock: str = LOCK
    annotate_log: str = (
        "UPDATE {logs} SET note = {note} WHERE session_id = {session} AND name = {name}"
    )
    forget_log: str = "DELETE FROM {logs} WHERE session_id = {session} AND name = {name}"
    # On MySQL, columns of others may change "on update" unless they are set to what they are.
    annotate_main: str = """
        UPDATE {sessions} SET {main_note} = {note}, updated_at = updated_at
        WHERE session_id = {session}
    """
    forget_main: str = """
        UPDATE {sessions}
        SET {main_last} = 0, {main_length} = 0, {main_note} = NULL, updated_at = updated_at
        WHERE session_id = {session}
    """
    #: Notes the end and the length of "main".
    note_main: str = """
        UPDATE {sessions}
        SET {main_last} = {last}, {main_length} = {length}, updated_at = updated_at
        WHERE session_id = {session}
    """
    keep_key: str = """
        INSERT INTO {writes} (session_id, day, hash, digest, positions)
        VALUES ({session}, {day}, {hash}, {digest}, {positions})
    """
    purge_keys: str = """
        DELETE FROM {writes} WHERE session_id = {session} AND day > 0 AND day < {today} - 1
    """


class Statements(NamedTuple):
    """The same, filled in. `Templates` says what each does."""

    touch: TextClause
    hold: TextClause
    note_log: TextClause
    move: TextClause
    lock: TextClause
    annotate_log: TextClause
    forget_log: TextClause
    annotate_main: TextClause
    forget_main: TextClause
    note_main: TextClause
    keep_key: TextClause
    purge_keys: TextClause


class Step(NamedTuple):
    """A commit under way, whose conditions hold."""

    db: Connection
    commit: Commit
    seen: Seen
    #: The row that the query of the state found.
    row: Mapping[Any, Any]
    values: Mapping[str, object]

    def changes(self, part: Part) -> bool:
        """Whether a log that stays is changed."""
        return part.shape.is_sure or bool(self.seen.losses.get(part.log))

    def length(self, part: Part) -> int:
        """The number of records of the log afterwards."""
        before = int(self.row[f"length{part.number}"])
        return before - self.seen.losses.get(part.log, 0) + len(part.payloads)


_REMOVE = "DELETE FROM {records} WHERE {here} AND {inside}"
_OLDEST_DAY = "(SELECT min(day) FROM {writes} WHERE session_id = {session} AND day > 0)"


class Transactional(Dialect):
    """Commits on any database."""

    _templates: Templates
    #: The time of a commit that doesn't touch the log "main", and of one that does.
    _at: tuple[str, str]

    def __init__(self, tables: Tables, layout: Layout) -> None:
        super().__init__(tables, layout)
        filled_in = (text(filled(each, self._shared)) for each in self._templates)
        self._statements = Statements(*filled_in)
        self._replacing = Replacing(self._places, self._shared)
        self._remove = self._places.map(
            lambda place: text(filled(_REMOVE, self._shared, place._asdict()))
        )

    def commit(self, db: Connection, commit: Commit) -> Committed:
        self._check_sizes(commit)
        values = {**commit.values(), **self._now()}
        if not self._lock(db, commit, values):
            commit.check(Seen.nothing(), _no_records)
            raise Abandoned(commit.result({}))
        row = self._found(db, commit, values)
        seen = state_seen(commit, row)
        known = commit.known(seen)
        if known is None:
            stored = partial(self._replacing.stored, db, commit.session)
            commit.check(seen, stored)
        if known is not None or not commit.acts(seen):
            raise Abandoned(known or commit.result(seen.ends))
        return self._make(Step(db, commit, seen, row, values))

    def _lock(self, db: Connection, commit: Commit, values: Mapping[str, object]) -> bool:
        """Lock the session's row, or make it. False if there is none and none is needed."""
        if not commit.makes:
            return db.execute(self._statements.lock, values).rowcount > 0
        main = commit.main
        is_sure = main is not None and main.shape.is_sure
        db.execute(self._statements.touch if is_sure else self._statements.hold, values)
        return True

    def _make(self, step: Step) -> Committed:
        parts = step.commit.parts
        for part in parts:
            if isinstance(part.change, Replace):
                self._replacing.replace(step.db, step.commit.session, part.change)
        ends = {part.log: self._append(step, part) for part in parts}
        self._note_logs(step, ends)
        done = step.commit.result(ends)
        self._keep_key(step, done)
        # Last, because deletions lock the gaps into which other sessions insert.
        for part in parts:
            self._take_away(step, part)
        if step.commit.main is not None:
            self._note_main(step, step.commit.main, ends["main"])
        return done

    def _append(self, step: Step, part: Part) -> int:
        """Insert the payloads of one log, and return where it ends after the commit."""
        if part.payloads:
            return self._insert(step, part, self._times(step, part))
        return step.seen.rests.get(part.log, step.seen.ends[part.log])

    def _note_logs(self, step: Step, ends: Mapping[str, int]) -> None:
        changed = [
            part
            for part in step.commit.parts
            if part.log != "main" and not part.forgets and step.changes(part)
        ]
        rows = [
            {
                "session": step.commit.session,
                "name": part.log,
                "last": ends[part.log],
                "length": step.length(part),
                "at": step.row["at"],
            }
            for part in changed
        ]
        if rows:
            step.db.execute(self._statements.note_log, rows)
        for part in changed:
            if part.annotation is not None:
                step.db.execute(self._statements.annotate_log, self._values(step, part))

    def _keep_key(self, step: Step, done: Committed) -> None:
        if step.commit.key is None:
            return
        values = {**step.values, "positions": positions_text(done)}
        step.db.execute(self._statements.keep_key, values)
        today: Any = step.values["today"]
        if step.row["oldest_day"] is not None and step.row["oldest_day"] < today - 1:
            step.db.execute(self._statements.purge_keys, step.values)

    def _take_away(self, step: Step, part: Part) -> None:
        if part.removed is not None and step.seen.losses[part.log]:
            after, before = part.removed
            # Not what this commit has added.
            bounds = {"after": after, "before": min(before, step.seen.ends[part.log] + 1)}
            step.db.execute(self._remove.of(part.log), {**self._values(step, part), **bounds})
        if part.forgets and part.log != "main":
            step.db.execute(self._statements.forget_log, self._values(step, part))

    def _note_main(self, step: Step, part: Part, end: int) -> None:
        values = self._values(step, part)
        if step.commit.loses(part, step.seen) and not part.shape.is_sure:
            step.db.execute(self._statements.move, values)
        if part.forgets:
            step.db.execute(self._statements.forget_main, values)
            return
        if part.annotation is not None:
            step.db.execute(self._statements.annotate_main, values)
        if step.commit.counts:
            noted = {"last": end, "length": step.length(part)}
            step.db.execute(self._statements.note_main, {**values, **noted})

    def _values(self, step: Step, part: Part) -> dict[str, object]:
        """The parameters of a statement that concerns one log alone."""
        return {**step.values, **part.values(numbered=False)}

    def _times(self, step: Step, part: Part) -> list[object]:
        """The time of each record that is added."""
        now = self._time_of_records(step.row["at"])
        given = part.times or [None] * len(part.payloads)
        known: dict[float | None, object] = {None: now}  # many were added together, at one time
        for each in given:
            if each is not None and each not in known:
                known[each] = self._time_of(micros(each))
        return [known[each] for each in given]

    def _more(self, commit: Commit) -> dict[str, str]:
        if not commit.writes:
            return {}
        main = commit.main
        is_sure = main is not None and main.shape.is_sure
        more = {"at": self._at[is_sure]}
        if commit.key is not None:
            more["oldest_day"] = _OLDEST_DAY
        return {name: filled(column, self._shared) for name, column in more.items()}

    @abstractmethod
    def _insert(self, step: Step, part: Part, times: Sequence[object]) -> int:
        """Insert the payloads of one log, and return the position of the last."""

    def _check_sizes(self, commit: Commit) -> None:
        """Raise `ValueError` for payloads that are known to be too big for the server."""

    def _now(self) -> dict[str, object]:
        """The parameter `now`, where the time doesn't come from the server."""
        return {}

    def _time_of_records(self, at: object) -> object:
        """The time of the records of a commit that was made `at` this time."""
        return at


def _no_records(change: Replace) -> list[None]:
    """What a session that doesn't exist has at the positions of `change`."""
    return [None] * len(change.positions)


_INSERT = """
    INSERT INTO {records} ({columns}, {payload}, created_at) VALUES ({values}, :payload, {time})
"""
_END = "SELECT max(id) FROM {records} WHERE {here}"


class RowByRow(Transactional):
    """Databases that take records row by row: MySQL, MariaDB and SQLite."""

    #: The time of a record.
    _time = ":time"

    def __init__(self, tables: Tables, layout: Layout) -> None:
        super().__init__(tables, layout)
        self._inserts, self._ends = self._of_each(_INSERT), self._of_each(_END)

    def _of_each(self, template: str) -> Kinds[TextClause]:
        fragments = self._shared, {"time": self._time}
        return self._places.map(lambda place: text(filled(template, *fragments, place._asdict())))

    def _insert(self, step: Step, part: Part, times: Sequence[object]) -> int:
        encode, statement = self._places.of(part.log).encode, self._inserts.of(part.log)
        log = {"session": step.commit.session, "name": part.log}
        pairs = zip(part.payloads, times, strict=True)
        rows = [{**log, "payload": encode(payload), "time": time} for payload, time in pairs]
        if len(rows) == 1:
            return int(step.db.execute(statement, rows[0]).lastrowid)
        for some in self._in_packets(log, rows):
            step.db.execute(statement, some)
        return int(step.db.execute(self._ends.of(part.log), log).scalar_one())

    def _in_packets(
        self, _log: Mapping[str, str], rows: list[dict[str, Any]]
    ) -> Iterable[list[dict[str, Any]]]:
        """`rows` in parts that the server takes in one statement each."""
        return [rows]
