"""Positions as arguments: told apart from turn numbers by their type."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Position"]


class Position(NamedTuple):
    """The position of a record, where a plain number would mean a turn."""

    position: int
