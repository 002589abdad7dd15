"""`EncryptedSession` and `EncryptSession` as blocking twins, around sessions or their twins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from turnlog.conversation.protocol import Session
from turnlog.conversation.session import StoredSession
from turnlog.sessions import encrypt, encrypted
from turnlog.sync.loop import run
from turnlog.sync.session import BlockingSession, awaited
from turnlog.sync.stored import BlockingStoredSession

__all__ = ["EncryptSession", "EncryptedSession"]


class EncryptedSession(BlockingSession):
    """The blocking twin of `turnlog.EncryptedSession`, with the same parameters.

    underlying_session: a session, or the blocking twin of one.
    """

    session: encrypted.EncryptedSession

    def __init__(
        self,
        session_id: str,
        underlying_session: Session | BlockingSession,
        encryption_key: str | bytes,
        ttl: float | None = 600,
        max_scan_items: int | None = None,
    ) -> None:
        try:
            inner = awaited(underlying_session)
            session = encrypted.EncryptedSession(
                session_id, inner, encryption_key, ttl, max_scan_items
            )
        finally:
            del encryption_key  # so that it is not in the frame of an error
        super().__init__(session)

    def add_items(self, items: Iterable[object], *, strict: bool = True) -> None:
        """Append `items`, encrypted, all of them or none; `strict` as in `StoredSession`."""
        run(self.session.add_items, items, strict=strict)

    def held(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`, as the items below it are encrypted."""
        self.session.held()

    @property
    def cipher(self) -> Any:
        """The Fernet that makes and opens the tokens."""
        return self.session.cipher

    @property
    def underlying_session(self) -> Any:
        """The session that holds the encrypted items, as it is awaited."""
        return self.session.underlying_session

    @property
    def ttl(self) -> float | None:
        """Seconds after which an item is no longer shown; None: never."""
        return self.session.ttl

    @property
    def max_scan_items(self) -> int | None:
        """The number of stored items that one `get_items` may read; None: any number."""
        return self.session.max_scan_items

    @property
    def unreadable(self) -> set[str]:
        """Digests of stored items that reads left out because they can't be opened."""
        return self.session.unreadable


def EncryptSession(  # noqa: N802 - as in turnlog
    inner_session: Session | BlockingSession, encryption_key: str | bytes
) -> BlockingSession:
    """The blocking twin of what `turnlog.EncryptSession` makes, with the same parameters.

    inner_session: a session, or the blocking twin of one. Of a session of Turnlog, the result is
        a `BlockingStoredSession`.
    """
    try:
        session: Session = encrypt.EncryptSession(awaited(inner_session), encryption_key)
    finally:
        del encryption_key  # so that it is not in the frame of an error
    if isinstance(session, StoredSession):
        if isinstance(inner_session, BlockingStoredSession):
            return inner_session._twin(session)  # noqa: SLF001 - of the same class
        return BlockingStoredSession(session)
    return EncryptedSession._around(session)  # noqa: SLF001 - its constructor asks for the key
