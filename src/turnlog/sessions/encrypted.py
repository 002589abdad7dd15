"""Encrypted sessions: any session with its items encrypted, in the format of the SDK."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from turnlog.conversation.closing import Closing, closed
from turnlog.conversation.protocol import Session, SessionABC
from turnlog.conversation.reading.tail import EVERYTHING, HasTail, ListedTail, Tail
from turnlog.conversation.reading.view import View
from turnlog.conversation.session import StoredSession
from turnlog.conversation.settings import AnySettings, SessionSettings
from turnlog.errors import NotSupported
from turnlog.items.given import check_int_or_none
from turnlog.items.json import Item, TResponseInputItem, encode_all
from turnlog.items.messages import checked
from turnlog.layers.encryption.sdk_format import envelope_key
from turnlog.sessions.encryption.arguments import check_inner, check_settings
from turnlog.sessions.encryption.calling import called, takes_argument, wrapper_for
from turnlog.sessions.encryption.compaction import COMPACTION, Compactable
from turnlog.sessions.encryption.opening import Found, Opener, Read
from turnlog.sessions.encryption.popping import Check, Refused, Validate, popped
from turnlog.sessions.encryption.windows import newest

__all__ = ["EncryptedSession"]

#: Methods of a stored session that would store plain items, or show encrypted ones.
_NOT_FORWARDED = {"edit", "explain", "fork", "turn", "view"}


class EncryptedSession(Compactable, SessionABC, HasTail):
    """Any session, with its items encrypted in the format of the OpenAI Agents SDK.

    Each reads what the SDK's class of this name wrote with the same key and session id, and the
    other way round.

    session_id: the key is derived from it, so it has to stay the same.
    underlying_session: holds the encrypted items.
    encryption_key: best the URL-safe base64 of 32 random bytes. The format does not harden
        passwords.
    ttl: seconds after which an item is no longer shown; None never. It stays stored until a pop
        meets it.
    max_scan_items: how many stored items one `get_items` may read in all; None any number.

    A wrong key raises `WrongEnvelopeKey` and changes nothing; `clear_session` needs no right key.
    An item that can't be opened alone is left out, logged and counted in `unreadable`.
    """

    def __init__(
        self,
        session_id: str,
        underlying_session: Session,
        encryption_key: str | bytes,
        ttl: float | None = 600,
        max_scan_items: int | None = None,
    ) -> None:
        self.session_id = session_id  # first, for `repr`
        self.underlying_session: Any = underlying_session
        try:
            check_settings(session_id, ttl, max_scan_items)
            check_inner(underlying_session)
            key = envelope_key(session_id, encryption_key)
        finally:
            del encryption_key  # so that it is not in the frame of an error
        if isinstance(key, str):
            raise ValueError(key)  # noqa: TRY004 - the text says what is wrong with the key
        self.ttl = ttl
        self.max_scan_items = max_scan_items
        self.cipher = key.cipher
        self._opener = Opener(session_id, key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.session_id!r}, {self.underlying_session!r})"

    def close(self) -> Closing:
        """Close the wrapped session, as `await` of its own `close` does. Closing twice is fine."""
        return closed(self.underlying_session)

    def __getattr__(self, name: str) -> Any:
        if name == "underlying_session":  # while a copy is made
            raise AttributeError(name)
        if name in COMPACTION:
            return self._compaction(name)
        if name in _NOT_FORWARDED and isinstance(self.underlying_session, StoredSession):
            raise AttributeError(
                f"{type(self).__name__} has no {name}, as the items below it are encrypted: "
                "EncryptSession(session, key) has all methods of a stored session"
            )
        return getattr(self.underlying_session, name)

    def _get_settings(self) -> AnySettings:
        return self.underlying_session.session_settings

    def _set_settings(self, value: AnySettings) -> None:
        self.underlying_session.session_settings = value

    # An attribute, as in `Handle`.
    session_settings: AnySettings = property(_get_settings, _set_settings)
    """The settings of the wrapped session."""

    @property
    def unreadable(self) -> set[str]:
        """SHA-256 digests of stored items that reads left out because they can't be opened.

        Expired items are not among them.
        """
        return self._opener.unreadable

    async def get_items(
        self, limit: int | None = None, *, wrapper: Any = None
    ) -> list[TResponseInputItem]:
        """The newest `limit` items that can be opened and have not expired, oldest first.

        limit: None means the bounds in `session_settings`.

        Raises `WrongEnvelopeKey` if the key opens none of the items that it looked at, and
        `RuntimeError` if `max_scan_items` are too few to know that the result is complete.
        """
        check_int_or_none("limit", limit)
        self._left_out = 0
        settings = SessionSettings.of(self.session_settings)
        if limit is None and settings.has_windows:
            return await (await View.of(self.tail(), settings)).shown()
        wrapper = wrapper_for(self.underlying_session, wrapper)
        bound = settings.limit if limit is None else limit
        found = await self._found(limit, bound, wrapper)
        self._left_out = len(found.stored) - len(found.items)
        return found.items[-bound:] if bound is not None and bound > 0 else found.items

    async def _found(self, limit: int | None, bound: int | None, wrapper: object) -> Found:
        budget = self.max_scan_items
        if budget is not None and bound is not None and bound < 0:
            raise ValueError("limit must be non-negative when max_scan_items is set")
        wanted = bound if bound is not None and bound > 0 else None
        if wanted is not None or (budget is not None and bound is None):
            read = self._reader(wrapper)
            return await newest(self._opener, read, self.ttl, wanted, budget)
        stored = await self._read(limit, wrapper)
        return self._opener.checked(self._opener.open_all(stored, self.ttl))

    def tail(self) -> Tail:
        """The newest part of the conversation, to be read backwards as far as is needed."""
        settings = SessionSettings.of(self.session_settings)
        gives_less = settings.has_windows or settings.limit is not None
        return ListedTail(self.get_items, EVERYTHING if gives_less else {})

    async def add_items(
        self, items: Iterable[object], *, strict: bool = True, wrapper: Any = None
    ) -> None:
        """Append `items`, encrypted, all of them or none.

        strict: as in `StoredSession`.

        A value that JSON has no form for raises `InvalidItem`, and nothing is written.
        """
        sealed = self._sealed(checked(items) if strict else items)
        await called(
            self.underlying_session.add_items,
            sealed,
            wrapper=wrapper_for(self.underlying_session, wrapper),
        )

    async def pop_item(self, *, wrapper: Any = None) -> TResponseInputItem | None:
        """Remove the newest item and return it; None if there is none.

        Expired items are removed on the way. If the newest item can't be opened, it raises
        `UnreadableEnvelope`, or `WrongEnvelopeKey` if the key opens no other item either, and
        nothing is removed.
        """
        return await self._pop_item_with_validation(wrapper=wrapper)

    def held(self, *_: Any, **__: Any) -> NoReturn:
        """Raises `NotSupported`: a block could not tell questions from answers."""
        raise NotSupported(
            f"{type(self).__name__} can't be held, as the items below it are encrypted: "
            "EncryptSession(session, key) has all methods of a stored session, and held() is one"
        )

    async def clear_session(self, *, wrapper: Any = None) -> None:
        """Empty the wrapped session. It needs no right key."""
        wrapper = wrapper_for(self.underlying_session, wrapper)
        await called(self.underlying_session.clear_session, wrapper=wrapper)

    async def _pop_item_with_validation(
        self, validate: Validate | None = None, *, wrapper: Any = None
    ) -> TResponseInputItem | None:
        """The same as `pop_item`, if `validate` raises nothing for the item; for wrappers."""
        wrapper = wrapper_for(self.underlying_session, wrapper)
        read = self._reader(wrapper)
        while True:
            check = Check(self._opener, self.ttl, validate)
            try:
                stored = await popped(self.underlying_session, check, read, wrapper)
            except Refused as refused:
                if refused.check is not check:
                    raise  # the item can't be opened by a session around this one
                raise await self._opener.refusal(refused.opened, read) from None
            if not stored:
                return None
            if check.item is not None:
                return check.item

    def _reader(self, wrapper: object) -> Read:
        return lambda count: self._read(count, wrapper)

    async def _read(self, limit: int | None, wrapper: object = None) -> list[Item]:
        get_items = self.underlying_session.get_items
        if takes_argument(get_items):
            return list(await called(get_items, limit, wrapper=wrapper))
        items = list(await called(get_items, wrapper=wrapper))
        return items if limit is None else items[max(0, len(items) - limit) :]

    def _sealed(self, items: Iterable[object]) -> list[Item]:
        return self._opener.seal_all(encode_all(items))
