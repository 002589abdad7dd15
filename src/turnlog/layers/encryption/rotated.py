"""Results of a rotation: what was done so far, and how many data keys there are of each key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from turnlog.errors import Unreadable

__all__ = ["KeyCounts", "Progress", "Rotated"]


@dataclass
class Rotated:
    """Counts of what a rotation has done so far.

    conversations: how many were looked at, and how many of them changed.
    keys: how many data keys were wrapped anew, or made.
    records: how many records and notes were sealed anew.
    unreadable: how many records and notes could not be opened; they stay, and so does their key.
    destroyed: how many conversations have no keys any more, because they were destroyed.
    failed: the conversations that could not be worked on, with the error.
    """

    conversations: int = 0
    changed: int = 0
    keys: int = 0
    records: int = 0
    unreadable: int = 0
    destroyed: int = 0
    failed: dict[str, Unreadable] = field(default_factory=dict)


@dataclass
class KeyCounts:
    """Counts of the conversations and data keys that each key of the provider has wrapped.

    conversations, data_keys: how many have a data key that it has wrapped, and how many data keys
        those are; by the id of the key, "" where the provider doesn't tell it.
    without: conversations without data keys. destroyed: those whose keys were destroyed.
    """

    conversations: dict[str, int] = field(default_factory=dict)
    data_keys: dict[str, int] = field(default_factory=dict)
    without: int = 0
    destroyed: int = 0


#: Called after each conversation; a rotation ends when it returns True.
Progress: TypeAlias = Callable[[Rotated], bool | None]
