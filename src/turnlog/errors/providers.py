"""Errors of conversations at a provider, whose outcome may be unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnlog.errors.root import TurnlogError

__all__ = ["AppendUncertain", "IncompleteAppend", "PopUncertain"]


class AppendUncertain(TurnlogError, RuntimeError):
    """Whether a provider has stored some items can't be known. They are not sent again.

    The answer to their request was lost, other writers have removed all items that were known,
    and items with the same contents are there, which may be older.

    stored: the items that are stored before them.
    remaining: the others, in order.
    unknown: of so many of these, the first ones, it is not known.
    """

    def __init__(
        self, stored: Sequence[dict[str, Any]], remaining: list[dict[str, Any]], unknown: int
    ) -> None:
        super().__init__(stored, remaining, unknown)
        self.stored = list(stored)
        self.remaining = remaining
        self.unknown = unknown

    def __repr__(self) -> str:
        return f"AppendUncertain({str(self)!r})"  # the items are what people said

    def __str__(self) -> str:
        return (
            f"{len(self.stored)} of {len(self.stored) + len(self.remaining)} items are stored, and "
            f"whether the next {self.unknown} are can't be known: an answer was lost, and other "
            "writers have removed all items that were known before. Read the session, then add "
            "error.remaining[error.unknown:] if they are there, or list(error.remaining) if not; "
            "both without a key"
        )


class IncompleteAppend(TurnlogError, RuntimeError):
    """A provider has stored the first part of the items, and the rest not.

    Pass `remaining` to `add_items` of the same conversation to go on; nothing is stored twice.

    stored: the items that are stored; with their ids, as far as the provider gave them back.
    remaining: the others, in order. Of the first 20 of them it may be unknown whether they are
        stored; `remaining` remembers where to look, which a copy of the list does not.
    """

    def __init__(self, stored: Sequence[dict[str, Any]], remaining: list[dict[str, Any]]) -> None:
        super().__init__(stored, remaining)
        self.stored = list(stored)
        self.remaining = remaining

    def __repr__(self) -> str:
        return f"IncompleteAppend({str(self)!r})"  # the items are what people said

    def __str__(self) -> str:
        return (
            f"{len(self.stored)} of {len(self.stored) + len(self.remaining)} items are stored: "
            f"to go on, pass `remaining` of this error to add_items; it looks first which of them "
            f"are stored, so that none is stored twice"
        )


class PopUncertain(TurnlogError, RuntimeError):
    """The answer to the removal of an item was lost. It is gone, or that can't be known.

    If it is gone, this call removed it, or another one meanwhile.

    item: the item that was to be removed.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__(item)
        self.item = item

    def __repr__(self) -> str:
        return f"PopUncertain({str(self)!r})"  # the item is what people said

    def __str__(self) -> str:
        return (
            "the answer to the removal of the newest item was lost, and the item is gone, or that "
            "can't be known: this call removed it, or another one did so at the same time. Read "
            "the session before you pop again"
        )
