"""Refusals of the blocking twin of a conversation at OpenAI."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from turnlog.sessions.conversations.refusals import Refusals
from turnlog.sync.loop import run

__all__ = ["BlockingRefusals"]


class BlockingRefusals:
    """The methods of `Refusals`, which raise `NotSupported` here as well.

    They are set below, and unknown to type checkers, so that a use of one is a type error.
    """

    session: Refusals


def _refusing(method: Callable[..., Any]) -> Callable[..., None]:
    @wraps(method)
    def refusing(self: BlockingRefusals, *args: Any, **kwargs: Any) -> None:
        run(getattr(self.session, method.__name__), *args, **kwargs)

    return refusing


for _name, _method in vars(Refusals).items():
    if not _name.startswith("_"):
        setattr(BlockingRefusals, _name, _refusing(_method))
