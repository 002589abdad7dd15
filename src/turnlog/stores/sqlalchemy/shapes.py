"""Shapes: what kinds of things a commit does to one log."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Shape"]


class Shape(NamedTuple):
    """The kind of a part: parts of one kind are written with the same SQL."""

    is_main: bool
    #: Whether an end is expected.
    checks: bool
    removes: bool
    appends: bool
    #: Whether it is one record that is added.
    is_single: bool
    annotates: bool
    #: Whether a note is expected.
    compares: bool
    forgets: bool
    #: Whether it expects a record or a note: then it fails if the session doesn't exist.
    needs_session: bool
    #: Whether it gives records other payloads, which changes nothing that the head tells.
    replaces: bool

    @property
    def writes(self) -> bool:
        """Whether it may change what the head tells."""
        return self.removes or self.is_sure

    @property
    def is_sure(self) -> bool:
        """Whether it changes the log in any case, whatever the log holds."""
        return self.appends or self.annotates

    @property
    def only_appends(self) -> bool:
        """Whether it appends under no condition, and does nothing else."""
        return self.appends and not (self.checks or self.removes or self.annotates)

    @property
    def needs_end(self) -> bool:
        """Whether the end before the commit has to be known."""
        return self.checks or self.removes or not self.appends

    @property
    def needs_note(self) -> bool:
        """Whether the note has to be known."""
        return self.compares or self.forgets
