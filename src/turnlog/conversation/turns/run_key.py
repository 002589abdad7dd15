"""Run keys: a run with a key asks once and answers once, however often it is started.

The question and the answer are stored under a key each. A later start with the same key finds the
answer and returns it, or finds the question alone and answers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnlog.changes import Check, Committed, Key
from turnlog.errors import Conflict
from turnlog.items.digest import digest
from turnlog.items.json import Item, decode_all, encode_all
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Progress", "RunKey"]


class Progress(NamedTuple):
    """How far earlier starts of a run have come."""

    #: Whether the question is stored.
    is_asked: bool = False
    #: What was stored behind the question, up to the answer; None if there is no answer.
    answer: list[Item] | None = None


class RunKey(NamedTuple):
    """The keys of one run, on one branch."""

    log: Log
    question: Key
    answer: Key

    @classmethod
    def of(cls, log: Log, name: str, new: Sequence[Item]) -> RunKey:
        """The keys of the run `name`.

        new: the input of the run. With another input, the same name raises `ValueError`.
        """
        suffix = f"{len(log.name)}:{log.name}{name}"
        question = Key(f"run/question/{suffix}", digest(encode_all(new)))
        return cls(log, question, Key(f"run/answer/{suffix}"))

    async def progress(self, store: Store) -> Progress:
        """Ask the store how far the run has come."""
        asked = await self._known(store, self.question)
        if asked is None:
            return Progress()
        answered = await self._known(store, self.answer)
        if answered is None:
            return Progress(is_asked=True)
        start, end = asked.positions[-1], answered.positions[1]
        records = await store.read(self.log, after=start, before=end + 1)
        items = decode_all(records.payloads)
        return Progress(is_asked=True, answer=[item for item in items if item is not None])

    async def _known(self, store: Store, key: Key) -> Committed | None:
        try:
            # No log ends at -1, so only a known key is answered.
            return await store.commit(self.log.session, [Check(self.log.name, -1)], key=key)
        except Conflict:
            return None
