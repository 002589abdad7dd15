"""Held conversations at OpenAI: a lease in the session's store, and the rules of retries."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, Self

from turnlog.conversation.held.block import OpenBlock
from turnlog.conversation.held.current import blocks, inside_block
from turnlog.conversation.held.holding import Held, Holding, check_held
from turnlog.conversation.reading.tail import Tail
from turnlog.conversation.settings import SessionSettings
from turnlog.conversation.turns.current import inside
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.turns.policy import Policy
from turnlog.items.json import Item, decode, encode_all
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.sessions.conversations.appending import Remaining
from turnlog.sessions.conversations.refusals import refuse
from turnlog.sessions.conversations.turns import Turns, check_possible
from turnlog.store import Store

__all__ = ["HoldableRemote"]


class HoldableRemote:
    """The part of a session at OpenAI by which another library's runner can hold it."""

    store: Store | None
    session_settings: Any
    _turns: Turns

    def held(
        self,
        policy: Policy = "queue",
        key: str | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
    ) -> Holding[Self]:
        """Hold the session for a runner of another library, as `StoredSession.held` does.

        Raises `NotSupported` without a store, in which the lease is, for the policy "branch" and
        for a `key`.
        """
        check_held(policy, key, lease_seconds, busy_timeout)
        check_possible(policy, key)
        if self.store is None:
            refuse("lease", "give the session a store, which holds it")
        return _RemoteHolding(self, self.store, policy, lease_seconds, busy_timeout)

    def _raw_tail(self) -> Tail:
        """The newest items as they are, with nothing read of them yet."""
        raise NotImplementedError

    @property
    def _block(self) -> OpenBlock | None:
        """The held block on this object that the running task is in; None if it is in none."""
        mine = (each for each in blocks() if isinstance(each, _RemoteBlock))
        return next((each for each in mine if each.session is self), None)

    async def _store(self, items: Iterable[object], key: str | None) -> None:
        """Append `items`, whether they are in a held block or not."""
        raise NotImplementedError

    async def _add(self, items: Iterable[object], key: str | None) -> None:
        """Append `items`, by the rules of the held block that the running task is in."""
        block = self._block
        if block is None or isinstance(items, Remaining):
            await self._store(items, key)
        elif payloads := encode_all(items):
            await block.add(payloads, partial(self._decoded, key), is_named=key is not None)

    async def _decoded(self, key: str | None, payloads: list[bytes]) -> None:
        await self._store([*map(decode, payloads)], key)

    async def _shown_in(self, block: OpenBlock, limit: int | None) -> list[Item]:
        """What `get_items(limit)` shows in a held block that has no input yet."""
        settings: SessionSettings = self.session_settings
        most = settings.limit if limit is None else limit
        most = None if most is not None and most < 0 else most
        return await block.shown(self._raw_tail(), settings, most)


class _RemoteBlock(OpenBlock):
    """A block on a conversation at OpenAI."""

    def __init__(self, store: Store, log: Log, session: HoldableRemote) -> None:
        super().__init__(store, log)
        self.session = session

    def tail(self) -> Tail:
        return self.session._raw_tail()  # noqa: SLF001 - not for users


class _RemoteHolding(Holding[Any]):
    """The same for a session at OpenAI."""

    def __init__(
        self,
        session: Any,
        store: Store,
        policy: Policy,
        seconds: float | None,
        busy_timeout: float | None,
    ) -> None:
        self._session, self._store = session, store
        self._turns: Turns = session._turns  # noqa: SLF001 - not for users
        self._policy, self._seconds, self._busy_timeout = policy, seconds, busy_timeout
        self._turn: OpenTurn | None = None
        self._block: _RemoteBlock | None = None
        self._context = ExitStack()
        self._is_used = False

    async def take(self) -> Held[Any]:
        if self._is_used:
            raise RuntimeError("this held block was entered before: call session.held(…) for each")
        self._is_used = True
        if not self._turns.is_inside:
            self._turn = await self._turns.taken(self._policy, self._seconds, self._busy_timeout)
            log = Log(self._session.conversation_id or "")
            self._block = _RemoteBlock(self._store, log, self._session)
        return Held(self._session)

    def enter(self) -> None:
        if self._block is None:
            return
        self._turns.block = self._block
        self._context.enter_context(inside_block(self._block))
        self._context.enter_context(self._turns.inside())
        if self._turn is not None:
            self._context.enter_context(inside(self._turn))

    def leave(self) -> None:
        self._context.close()

    async def release(self, error: BaseException | None) -> None:  # noqa: ARG002 - it has no key
        if self._block is None:
            return
        self._block.has_ended = True
        self._turns.block = None
        await finished(self._turns.given_back(self._turn))
