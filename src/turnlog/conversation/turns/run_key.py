"""Run keys: a run with a key asks once and answers once, however often it is started.

The question and the answer are stored under a key each. A later start with the same key finds the
answer and returns it, or finds the question alone and answers it. If one of the two was popped or
cleared since, the run is forgotten: the next start asks again, under keys of the next generation.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple, Self

from turnlog.changes import Append, Check, Committed, Key
from turnlog.conversation.opened import check_opened, item_of, items_of
from turnlog.conversation.turns.policy import Policy
from turnlog.errors import Conflict
from turnlog.items.digest import digest
from turnlog.items.given import check_key
from turnlog.items.json import Item, encode, encode_all
from turnlog.items.kinds import is_question
from turnlog.items.turns import is_answered
from turnlog.records import Log, Record, Records
from turnlog.store import Store

__all__ = ["Progress", "RunKey", "check_keyed_policy", "check_no_key_inside"]

# Most turns have fewer items than this.
_ITEMS_IN_A_TURN = 64

# More answers are seldom noted since a run has died.
_NOTES_AT_ONCE = 16


def check_keyed_policy(key: object, policy: Policy) -> None:
    """Raise `ValueError` for a key with a policy that can't keep it."""
    if key is not None and policy not in ("queue", "reject"):
        raise ValueError(
            f"a run with a key needs the policy 'queue' or 'reject', not {policy!r}: with others, "
            f"two starts of the run could answer at the same time"
        )


def check_no_key_inside(key: object) -> None:
    """Raise `ValueError` for the key of a run that is part of another one."""
    if key is not None:
        raise ValueError(
            "a run inside a run is part of it, and has no key of its own: leave the key out"
        )


class Progress(NamedTuple):
    """Progress of the earlier starts of a run."""

    #: The keys of the generation that counts.
    key: RunKey
    #: The position of the question's last item; 0 if it isn't stored.
    question: int = 0
    #: Whether no other question stands behind it, and no answer to another one.
    is_last: bool = True
    #: What was stored behind the question, up to the answer; None if there is no answer.
    answer: list[Item] | None = None
    #: The last position that its work may have; None if that is not known.
    until: int | None = None

    @property
    def older_question(self) -> range:
        """The positions of its question and of the work behind it, if others stand behind that."""
        if self.question == 0 or self.is_last:
            return range(0)
        return range(self.question, sys.maxsize if self.until is None else self.until + 1)


class RunKey(NamedTuple):
    """The keys of one run, on one branch."""

    log: Log
    name: str
    #: Of the input.
    digest: bytes
    generation: int = 0

    @classmethod
    def of(cls, log: Log, name: str, new: Sequence[Item]) -> RunKey:
        """The keys of the run `name`.

        new: the input of the run. With another input, the same name raises `KeyReused`.
        """
        return cls.named(log, name)._replace(digest=digest(encode_all(new)))

    @classmethod
    def named(cls, log: Log, name: str) -> Self:
        """The keys of the run `name`, whose input is not known yet."""
        check_key(name)
        return cls(log, Key.of(log, name).name, b"")

    async def check_input(self, store: Store) -> None:
        """Raise `KeyReused` if the question was stored with another input."""
        await self._known(store, self.question)

    @property
    def question(self) -> Key:
        """The key of the commit that stores the question."""
        return Key(f"run/question/{self.generation}/{self.name}", self.digest)

    def answer(self, holder: str = "") -> Key:
        """The key of the commit that stores the answer.

        holder: of the lease under which it is stored. Another one's commit raises `ValueError`.
        """
        return Key(f"run/answer/{self.generation}/{self.name}", holder.encode())

    def record(self, start: int) -> Append:
        """Notes behind which position the answer of this run was stored."""
        return Append(self.log.beside("runs").name, [encode({"from": start})])

    async def progress(self, store: Store, *, holds_lease: bool) -> Progress:
        """Ask the store how far the run has come.

        holds_lease: no other start is under way, so an answer without its key is one.
        """
        key = self
        while (asked := await key._known(store, key.question)) is not None:
            found = await key._found(store, asked.positions[-1], holds_lease=holds_lease)
            if found is not None:
                return found
            key = key._replace(generation=key.generation + 1)
        return Progress(key)

    async def _found(self, store: Store, question: int, *, holds_lease: bool) -> Progress | None:
        """The progress of this generation; None if its question or its answer is gone."""
        turn = await _turn_behind(store, self.log, question)
        if turn is None:
            return None
        items, is_last = turn
        answered = await self._known(store, self.answer())
        if answered is not None:
            answer = await self._answer(store, question, items, answered)
            return None if answer is None else Progress(self, question, is_last, answer)
        items, until = await self._own(store, question, items)
        is_over = holds_lease and is_answered(items)
        is_last = is_last and until is None
        return Progress(self, question, is_last, items if is_over else None, until)

    async def _answer(
        self, store: Store, question: int, items: list[Item], answered: Committed
    ) -> list[Item] | None:
        """All that this run has stored behind its question; None if its end is gone.

        items: what stands behind the question, up to the next one.
        """
        end = answered.positions[1]
        start = await self._start(store, answered.positions[-1]) or question
        records = await store.read(self.log, after=start, before=end + 1)
        if end > start and (not records or records.positions[-1] != end):
            return None
        check_opened(self.log, records)  # an answer with a gap is none
        later = _readable(self.log, records)
        if start <= question:
            return later
        own, _ = await self._own(store, question, items, before=answered.positions[-1])
        return [*own, *later]

    async def _start(self, store: Store, position: int) -> int:
        """Behind which position the answer was stored; 0 if that was not noted."""
        log = self.log.beside("runs")
        records = await store.read(log, after=position - 1, before=position + 1)
        return _from(log, records[0]) if records else 0

    async def _own(
        self, store: Store, question: int, items: list[Item], before: int | None = None
    ) -> tuple[list[Item], int | None]:
        """Those of `items`, which stand behind `question`, that are work on it.

        before: the position of this run's own note.

        Also the position behind which work on other questions stands; None if there is none.
        Those were asked before, and taken up behind `question`, which was last then.
        """
        until = await self._others_start(store, question, before) if items else None
        if until is None:
            return items, None
        own = await store.read(self.log, after=question, before=until + 1)
        return items[: len(_readable(self.log, own))], until

    async def _others_start(self, store: Store, question: int, before: int | None) -> int | None:
        """Behind which position others have answered since; None if nobody has."""
        log, found, limit = self.log.beside("runs"), list[int](), _NOTES_AT_ONCE
        while records := await store.read(log, before=before, limit=limit):
            before, notes = records.positions[0], [_from(log, each) for each in records]
            behind = [start for start in notes if start >= question]
            found += behind
            if len(behind) < len(notes):  # the notes are in the order of the log
                break
            limit *= 4
        return min(found, default=None)

    async def _known(self, store: Store, key: Key) -> Committed | None:
        try:
            # No log ends at -1, so only a known key is answered.
            return await store.commit(self.log.session, [Check(self.log.name, -1)], key=key)
        except Conflict:
            return None


async def _turn_behind(store: Store, log: Log, question: int) -> tuple[list[Item], bool] | None:
    """The items between a question and the next one, and whether there is no next one.

    None if there is no record at the position `question`.
    """
    limit = _ITEMS_IN_A_TURN
    while True:
        records = await store.read(log, after=question - 1, limit=limit, oldest=True)
        if not records or records.positions[0] != question:
            return None
        items = _readable(log, records[1:])
        ends = [place for place, item in enumerate(items) if is_question(item)]
        if ends:
            return items[: ends[0]], False
        if len(records) < limit:
            return items, True
        limit *= 4


def _from(log: Log, note: Record) -> int:
    """Behind which position an answer was stored, from its note."""
    return int(item_of(log, note)["from"])


def _readable(log: Log, records: Records) -> list[Item]:
    return [item for item in items_of(log, records) if item is not None]
