"""Commits, broken down by log: what one commit does to each log, and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import random
from typing import NamedTuple, TypeAlias

from turnlog.changes import (
    Annotate,
    Append,
    Change,
    Check,
    Committed,
    Forget,
    Key,
    Remove,
    Replace,
    check_conditions,
    makes_session,
    writes,
)
from turnlog.store import END, span
from turnlog.stores.sqlalchemy.shapes import Shape
from turnlog.stores.tables import key_day, replayed, today

__all__ = ["Commit", "Part", "Seen"]

#: What a commit may do to a log, beside an `Annotate`.
_Change: TypeAlias = Append | Remove | Forget | Check | Replace


class Part(NamedTuple):
    """All that a commit does to one log.

    number: its index among the parts of the commit; the names of its parameters end with it.
    """

    number: int
    log: str
    change: _Change | None
    annotation: Annotate | None
    #: The records that are added.
    payloads: Sequence[bytes]
    times: Sequence[float | None] | None
    #: The bounds of the records that are removed; None if none are.
    removed: tuple[int, int] | None
    shape: Shape

    @classmethod
    def of(
        cls,
        number: int,
        log: str,
        change: _Change | None,
        annotation: Annotate | None,
    ) -> Part:
        payloads, times = _EMPTY
        if isinstance(change, Append):
            payloads, times = change.payloads, change.times
        removed = _removed(change)
        shape = Shape(
            log == "main",
            change is not None and change.expect is not None,
            removed is not None,
            len(payloads) > 0,
            len(payloads) == 1,
            annotation is not None,
            annotation is not None and annotation.expect is not None,
            isinstance(change, Forget),
            _is_something(change) or _is_something(annotation),
            isinstance(change, Replace) and len(change.positions) > 0,
        )
        return cls(number, log, change, annotation, payloads, times, removed, shape)

    @property
    def forgets(self) -> bool:
        return self.shape.forgets

    @property
    def replacements(self) -> Sequence[bytes]:
        """The payloads that records are given in place of theirs."""
        return self.change.payloads if isinstance(self.change, Replace) else ()

    def values(self, *, numbered: bool = True) -> dict[str, object]:
        """The parameters, but for the payloads."""
        values: dict[str, object] = {"name": self.log}
        if self.change is not None and self.change.expect is not None:
            values["expect"] = _position(self.change.expect)
        if self.removed is not None:
            values["after"], values["before"] = self.removed
        if self.annotation is not None:
            values |= {"note": self.annotation.note, "noted": self.annotation.expect}
        end = self.number if numbered else ""
        return {f"{name}{end}": value for name, value in values.items()}


class Seen(NamedTuple):
    """The state before a commit, as far as the commit has to know it."""

    #: Where each log ends.
    ends: Mapping[str, int]
    notes: Mapping[str, bytes]
    #: How many records the removals of the commit take from each log.
    losses: Mapping[str, int]
    #: Where each of these logs ends after the removals, before records are added.
    rests: Mapping[str, int]
    #: The digest and the positions of the commit with this key.
    known: tuple[bytes, str] | None = None

    @classmethod
    def nothing(cls) -> Seen:
        """A session that doesn't exist."""
        return cls({}, {}, {}, {})


class Commit(NamedTuple):
    """The arguments of one commit, which nobody changes while it is made."""

    session: str
    changes: tuple[Change, ...]
    key: Key | None
    #: What happens to each log, in the order in which the changes name them.
    parts: tuple[Part, ...]
    #: What happens to the log "main", if it is written to.
    main: Part | None
    #: Whether the length of "main" is stored anew. That costs time, so it is done for about one
    #: record in `_UNCOUNTED`. When the length is asked for, the few dozen records behind the
    #: stored end are counted, however long the log is.
    counts: bool

    @classmethod
    def of(cls, session: str, changes: Sequence[Change], key: Key | None) -> Commit:
        kept = tuple(map(_kept, changes))
        parts = tuple(_parts(kept))
        main = next((p for p in parts if p.shape.is_main and p.shape.writes), None)
        counts = main is not None and (
            main.shape.removes or random() * _UNCOUNTED < len(main.payloads)  # noqa: S311 - no secret
        )
        return cls(session, kept, key, parts, main, counts)

    @property
    def shape(self) -> tuple[tuple[Shape, ...], bool, bool, tuple[int, ...]]:
        """Commits of one shape are made with the same statements.

        The shapes of the parts, whether there is a key, whether "main" is counted, and the part
        of each change.
        """
        numbers = {part.log: part.number for part in self.parts}
        places = tuple(numbers[change.log] for change in self.changes)
        shapes = tuple(part.shape for part in self.parts)
        return shapes, self.key is not None, self.counts, places

    @property
    def writes(self) -> bool:
        """Whether anything may be written."""
        return writes(self.changes)

    @property
    def makes(self) -> bool:
        """Whether the session is made if it doesn't exist."""
        return makes_session(self.changes, self.key)

    @property
    def needs_session(self) -> bool:
        """Whether a condition fails if the session doesn't exist."""
        return any(part.shape.needs_session for part in self.parts)

    @property
    def is_small(self) -> bool:
        """Whether one query can look at all its logs."""
        return len(self.parts) <= _MOST_PARTS

    @property
    def pieces(self) -> Iterator[Commit]:
        """The commit, with so few of its parts each that one query can look at their logs."""
        yield self._replace(parts=self.parts[:_MOST_PARTS])
        for start in range(_MOST_PARTS, len(self.parts), _MOST_PARTS):
            yield self._replace(parts=self.parts[start : start + _MOST_PARTS], key=None)

    @property
    def is_sure(self) -> bool:
        """Whether something is written, whatever the logs hold."""
        return self.key is not None or any(
            part.shape.is_sure or part.shape.replaces for part in self.parts
        )

    @property
    def is_unconditional(self) -> bool:
        """Whether it only appends, whatever there is."""
        return self.key is None and all(part.shape.only_appends for part in self.parts)

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be made twice without harm."""
        if self.key is not None:
            return True
        return all(isinstance(each, Annotate) and each.expect is None for each in self.changes)

    @property
    def witness(self) -> Commit | None:
        """A condition that holds before this commit, and can't hold after it.

        None if there is none: then nothing tells whether the commit has happened.
        """
        moving = next((part for part in self.parts if _moves(part)), None)
        if moving is None or moving.change is None or moving.change.expect is None:
            return None
        return Commit.of(self.session, [Check(moving.log, moving.change.expect)], None)

    def values(self) -> dict[str, object]:
        """The parameters of its statements, but for the payloads."""
        values: dict[str, object] = {"session": self.session}
        for part in self.parts:
            values |= part.values()
        if self.key is not None:
            day = today()
            values |= {"hash": self.key.hash, "digest": self.key.digest}
            values |= {"day": key_day(self.key, day), "today": day}
        return values

    def known(self, seen: Seen) -> Committed | None:
        """The result of the first commit with this key; None if this is the first."""
        if self.key is None or seen.known is None:
            return None
        return replayed(self.key, *seen.known)

    def check(
        self,
        seen: Seen,
        payloads: Callable[[Replace], Sequence[bytes | None]] = lambda _: (),
    ) -> None:
        """Raise `Conflict` for the first condition that fails.

        payloads: the stored payload at each position of a `Replace`; None where no record is.
        """
        check_conditions(self.session, self.changes, seen.ends, seen.notes, payloads)

    def acts(self, seen: Seen) -> bool:
        """Whether anything has to be written in a session that exists."""
        return self.is_sure or any(self.loses(part, seen) for part in self.parts)

    def result(self, ends: Mapping[str, int]) -> Committed:
        """The result if the logs end there."""
        return Committed.at(self.changes, ends)

    @staticmethod
    def loses(part: Part, seen: Seen) -> bool:
        """Whether a log loses records, or is forgotten with what else it has."""
        if seen.losses.get(part.log):
            return True
        return part.forgets and (part.log != "main" or seen.notes[part.log] != b"")


_EMPTY: tuple[Sequence[bytes], Sequence[float | None] | None] = ((), None)


def _is_something(change: Change | None) -> bool:
    """Whether the change expects a record, or a note that isn't empty."""
    if isinstance(change, Replace) and change.positions:
        return True
    return change is not None and bool(change.expect)


def _parts(changes: Sequence[Change]) -> Iterator[Part]:
    named: dict[str, _Change] = {}
    annotated: dict[str, Annotate] = {}
    for change in changes:
        if isinstance(change, Annotate):
            annotated[change.log] = change
        else:
            named[change.log] = change
    for number, log in enumerate(dict.fromkeys(change.log for change in changes)):
        yield Part.of(number, log, named.get(log), annotated.get(log))


def _removed(change: Change | None) -> tuple[int, int] | None:
    match change:
        case Append(cut=int(cut)):
            return span(cut, None)
        case Remove(after=after, before=before):
            return span(after, before)
        case Forget():
            return 0, END
    return None


#: Databases join 61 tables at most, and a query has one for each log.
_MOST_PARTS = 24

#: About how many records are behind the stored end of "main"; see `Commit.counts`.
_UNCOUNTED = 64


def _kept(change: Change) -> Change:
    """The same change, without the caller's lists."""
    if isinstance(change, Replace):
        log, positions, payloads, old, expect = change
        return Replace(log, tuple(positions), tuple(payloads), tuple(old), expect)
    if not isinstance(change, Append):
        return change
    log, payloads, expect, cut, times = change
    return Append(log, tuple(payloads), expect, cut, None if times is None else tuple(times))


def _moves(part: Part) -> bool:
    """Whether the log certainly ends elsewhere after the commit, if its condition held before."""
    expect = None if part.change is None else part.change.expect
    if expect is None:
        return False
    after, before = part.removed or (0, 0)
    return bool(part.payloads) or after < expect < before


def _position(expect: int | None) -> int | None:
    """`expect` as a column can hold it; -1 stands for any position that none can hold."""
    return expect if expect is None or 0 <= expect <= END else -1
