"""What a conversation at OpenAI can't do, refused by its blocking twin as well."""

from __future__ import annotations

from typing import Any, NoReturn

from turnlog.sessions.conversations.refusals import Refusals
from turnlog.sync.loop import run

__all__ = ["BlockingRefusals"]


class BlockingRefusals:
    """The methods of stored sessions that need branches or positions: all raise `NotSupported`."""

    session: Refusals

    def fork(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        run(self.session.fork)

    def switch_to(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        run(self.session.switch_to)

    def branches(self) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        run(self.session.branches)

    def delete_branch(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        run(self.session.delete_branch)

    def edit(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        run(self.session.edit)

    def diff(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: there are no branches."""
        run(self.session.diff)

    def rewind(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: the tail can't be dropped in one step."""
        run(self.session.rewind)

    def turns(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions and no times."""
        run(self.session.turns)

    def explain(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: items have no positions."""
        run(self.session.explain)
