"""Errors of sessions: branches, turns and records that are not there, and items that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnlog.errors.root import TurnlogError

if TYPE_CHECKING:
    from turnlog.records import Log

__all__ = [
    "BranchDeleted",
    "BranchNameUsed",
    "InvalidItem",
    "NoSuchBranch",
    "NoSuchRecord",
    "NoSuchTurn",
    "NotSupported",
]


class BranchDeleted(TurnlogError, ValueError):
    """The branch was deleted, so it can't be written to. Nothing was written."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"branch {self.log.name!r} of session {self.log.session!r} was deleted, so nothing "
            "was written: move this session to another branch with switch_to(…), or fork one"
        )


class BranchNameUsed(TurnlogError, ValueError):
    """A branch of the conversation has this name, or had it. No name is used twice."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"Branch ID {self.log.name!r} has already been used in session {self.log.session!r}: "
            "choose another name, or none to get a new one; a deleted branch keeps its name"
        )


class InvalidItem(TurnlogError, TypeError):
    """An item has no JSON form. Nothing was written.

    `path` names the place inside the item, such as ``item.content[0].data``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class NoSuchBranch(TurnlogError, ValueError):
    """The conversation has no branch of this name."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"Branch {self.log.name!r} does not exist in session {self.log.session!r}: "
            "branches() lists those that do"
        )


class NoSuchRecord(TurnlogError, ValueError):
    """The branch has no record at this position."""

    def __init__(self, log: Log, position: int) -> None:
        super().__init__(log, position)
        self.log = log
        self.position = position

    def __str__(self) -> str:
        return (
            f"branch {self.log.name!r} of session {self.log.session!r} has no record at position "
            f"{self.position}: turns() and explain() tell the positions of its records"
        )


class NoSuchTurn(TurnlogError, ValueError):
    """The branch has no turn of this number."""

    def __init__(self, log: Log, number: int) -> None:
        super().__init__(log, number)
        self.log = log
        self.number = number

    def __str__(self) -> str:
        return (
            f"Turn {self.number} does not contain a user message in branch {self.log.name!r} of "
            f"session {self.log.session!r}: turns() lists the turns, which are counted from 1"
        )


class NotSupported(TurnlogError, NotImplementedError):
    """This kind of session can't do that. Nothing was done."""
