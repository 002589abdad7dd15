"""Spending: what one run has spent so far, by agent and model, and its record."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TypeAlias
from uuid import uuid4

from turnlog.conversation.usage.entries import Part
from turnlog.conversation.usage.reported import usage_in, with_a_request
from turnlog.conversation.usage.usage import Usage
from turnlog.items.json import Item, encode
from turnlog.records import Log

__all__ = ["Place", "Spending", "spent_at_end"]

#: A branch: the identity of its store, and its log.
Place: TypeAlias = tuple[Hashable, Log]


class Spending:
    """Usage of one run so far.

    run: the id of the run; one is drawn for None.
    """

    def __init__(self, run: str | None = None) -> None:
        self.run = uuid4().hex if run is None else run
        #: What was spent when the record was last stored, and where that was.
        self.recorded: Usage | None = None
        self.place: Place | None = None
        #: The usage that was added last: of one request, if it says so.
        self.last = Usage()
        #: All of it.
        self.usage = Usage()
        self._spent: dict[tuple[str, str], Usage] = {}
        self._began = time.monotonic()

    def parts(self) -> list[Part]:
        """The same by agent and model."""
        return [Part(*names, usage) for names, usage in self._spent.items()]

    def has_unrecorded(self, place: Place) -> bool:
        """Whether there is something that is not recorded at `place` yet."""
        return self.usage != (self.recorded if place == self.place else Usage())

    def mark_recorded(self, usage: Usage, place: Place) -> None:
        """The record of `usage` is stored at `place`."""
        self.recorded, self.place = usage, place

    def add(self, usage: Usage, agent: str = "", model: str = "") -> Usage:
        """Add what a request has cost; returns it, with at least one request if it cost anything.

        agent, model: their names; "" if they are not known.
        """
        usage = with_a_request(usage)
        if not usage.is_empty:
            self.last = usage
            self.usage += usage
            self._spent[agent, model] = self._spent.get((agent, model), Usage()) + usage
        return usage

    def replace(self, usage: Usage, agent: str = "", model: str = "") -> None:
        """All that was spent is `usage`; it is to be recorded, also if it was before."""
        self.usage, self._spent, self.recorded, self.place = Usage(), {}, None, None
        self.add(usage, agent, model)

    def payload(self, position: int) -> bytes:
        """The record, for the turn that begins at `position`."""
        parts = [part.fields() for part in self.parts()]
        return encode({**self._head(position), **self._sum().fields(), **_listed(parts)})

    def _head(self, position: int) -> Item:
        seconds = round(time.monotonic() - self._began, 3)
        head = {"run": self.run, "position": position, "seconds": seconds, "at": time.time()}
        return {**head, **self._last_input()}

    def _last_input(self) -> Item:
        """The input tokens of the last request, where the record doesn't show them already."""
        is_single = self.last.requests == 1 and self.last != self.usage
        return {"last_input_tokens": self.last.input_tokens} if is_single else {}

    def _sum(self) -> Part:
        """All of it, with the agent and the model that were used last."""
        agent, model = next(reversed(self._spent), ("", ""))
        return Part(agent, model, self.usage)


def _listed(parts: list[Item]) -> Item:
    return {"parts": parts} if len(parts) > 1 else {}


@contextmanager
def spent_at_end(spending: Spending, usage: object) -> Iterator[None]:
    """At the end, also after an error, add what `usage` holds then.

    usage: an object as in `usage_in`, or a function that gives one.
    """
    try:
        yield
    except BaseException as error:
        try:
            spending.add(_reported(usage))
        except Exception as second:  # noqa: BLE001 - the caller gets the first one
            error.add_note(f"the usage of the turn was not recorded: {type(second).__name__}")
        raise
    spending.add(_reported(usage))


def _reported(usage: object) -> Usage:
    return usage_in(usage() if callable(usage) else usage)
