"""Counting reads: a layer that counts the records that are read through it."""

from __future__ import annotations

from typing import Any

from turnlog.records import Log, Records
from turnlog.store import Layer, Store

__all__ = ["Counting"]


class Counting(Layer):
    """Counts the records that are read.

    records: how many so far, in all logs.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.records = 0

    async def read(self, log: Log, **bounds: Any) -> Records:
        found = await super().read(log, **bounds)
        self.records += len(found)
        return found
