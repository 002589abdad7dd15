"""Blocking twins: the methods of any session as calls that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnlog.conversation.closing import closed
from turnlog.conversation.protocol import Session
from turnlog.conversation.settings import AnySettings
from turnlog.items.json import TResponseInputItem
from turnlog.sync.loop import run

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["BlockingSession", "awaited"]


class BlockingSession:
    """Any session, with methods that wait instead of being awaited.

    session: the session itself. Call its other methods with `run`, such as
        ``run(twin.session.get_items, 3)``.

    Errors are raised unchanged. A `KeyboardInterrupt` is raised when the call has ended,
    as described at `run`.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    @classmethod
    def _around(cls, session: Any) -> Self:
        """A twin of this class on `session`, whatever the constructor asks for."""
        twin = cls.__new__(cls)
        twin.session = session
        return twin

    def __repr__(self) -> str:
        return f"sync.{self.session!r}"

    @property
    def session_id(self) -> str:
        """The name of the conversation. Assigning takes effect at once."""
        return self.session.session_id

    @session_id.setter
    def session_id(self, value: str) -> None:
        self.session.session_id = value

    @property
    def session_settings(self) -> AnySettings:
        """Bounds of what is read when the caller doesn't say: a `SessionSettings`.

        Assigning one, or a dict, takes effect at once.
        """
        return self.session.session_settings

    @session_settings.setter
    def session_settings(self, value: AnySettings) -> None:
        self.session.session_settings = value

    def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first; None means the bounds in the settings."""
        if limit is None:
            return run(self.session.get_items)
        return run(self.session.get_items, limit)

    def add_items(self, items: list[TResponseInputItem]) -> None:
        """Put `items` at the end, in order, all of them or none."""
        run(self.session.add_items, items)

    def pop_item(self) -> TResponseInputItem | None:
        """Remove the newest item and return it; None if there is none."""
        return run(self.session.pop_item)

    def clear_session(self) -> None:
        """Empty this conversation."""
        run(self.session.clear_session)

    def clear(self) -> None:
        """The same as `clear_session`."""
        self.clear_session()

    def close(self) -> None:
        """Close the database, if the session holds one open. Closing twice is fine."""
        run(_close, self.session)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def awaited(session: Session | BlockingSession) -> Session:
    """The session itself, if its blocking twin was given."""
    return session.session if isinstance(session, BlockingSession) else session


async def _close(session: Session) -> None:
    await closed(session)
