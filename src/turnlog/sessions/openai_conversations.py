"""OpenAI Conversations session: a conversation that is kept at OpenAI, in its Conversations API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from operator import index
from typing import Any, Unpack, cast

from turnlog.conversation.about import About, Changes
from turnlog.conversation.protocol import Session, SessionABC, check_store
from turnlog.conversation.reading.run_input import run_input
from turnlog.conversation.reading.tail import EVERYTHING, HasTail, ListedTail, Tail
from turnlog.conversation.reading.view import View
from turnlog.conversation.session import StoredSession
from turnlog.conversation.settings import AnySettings, SessionSettings, SettingsLike
from turnlog.conversation.turns.elsewhere import BeginsTurns, ReadView
from turnlog.conversation.turns.policy import Policy
from turnlog.conversation.usage.spending import Spending, spent_at_end
from turnlog.conversation.usage.usage import Usage
from turnlog.items.json import Item, TResponseInputItem
from turnlog.items.merge import Merged, SessionInputCallback, input_items
from turnlog.items.repair import Interrupted
from turnlog.loops.finishing import finished
from turnlog.loops.locks import ProcessLock
from turnlog.sessions.conversations.about import AboutRemote
from turnlog.sessions.conversations.arguments import check_id, the_client
from turnlog.sessions.conversations.beside import Beside
from turnlog.sessions.conversations.clearing import Clearing
from turnlog.sessions.conversations.client import AsyncOpenAI, Clients
from turnlog.sessions.conversations.copying import CopiedRemote
from turnlog.sessions.conversations.forms import shown
from turnlog.sessions.conversations.hints import hinted
from turnlog.sessions.conversations.holding import HoldableRemote
from turnlog.sessions.conversations.popping import popped
from turnlog.sessions.conversations.refusals import Refusals, refuse
from turnlog.sessions.conversations.remote import Remote
from turnlog.sessions.conversations.retrying import PATIENCE, Waits
from turnlog.sessions.conversations.sdk import register
from turnlog.sessions.conversations.tail import ConversationTail
from turnlog.sessions.conversations.turns import ConversationTurn, Turns
from turnlog.sessions.conversations.writing import Write, Writing
from turnlog.store import Store
from turnlog.stores.options import check_patience

__all__ = ["OpenAIConversationsSession"]


class OpenAIConversationsSession(
    CopiedRemote, HoldableRemote, Refusals, SessionABC, HasTail, BeginsTurns
):
    """One conversation at OpenAI, in its Conversations API.

    conversation_id: of a conversation that exists; None creates one with the first items that are
        stored. Reading creates nothing.
    client, openai_client: the `AsyncOpenAI` to use; it stays yours, and must not be used on
        several event loops. Without one: the default client of the SDK, if it has one, else one
        for each event loop, from OPENAI_API_KEY.
    session_settings, settings: a `SessionSettings`, a dict, or None.
    store: a store of Turnlog, in which leases, usage, the progress of writes with a key and an
        entry for lists live. The items are at OpenAI only.
    patience: for how many seconds a request that failed is tried again.

    At OpenAI, items get a full form: what is read says the same as what was added, but is not
    equal to it. Ids that name nothing outside of the conversation are left out.

    A write of more than 20 items takes several requests, and so is not all or nothing. After a
    failure it looks which items are stored before it sends any again; see `add_items`. Calls on
    one session object are made one after the other, also from several threads and event loops.

    The API has no branches, positions, times or conditions: `fork`, `rewind`, `turns`, `explain`
    and the like raise `NotSupported`. Runs on this object wait for each other. Runs of other
    objects and processes do so only if both have the same `store`.

    What can't be promised: when the answer to the creation is lost, the retry creates another
    conversation, and the first one, which may hold items, stays at OpenAI under an id that nobody
    knows. If another writer stores the same words while the answer to a request is lost, the two
    can't be told apart. A request that timed out may still be carried out after the look.
    """

    def __init__(
        self,
        conversation_id: str | None = None,
        client: AsyncOpenAI | None = None,
        *,
        openai_client: AsyncOpenAI | None = None,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        store: Store | None = None,
        patience: float = PATIENCE,
    ) -> None:
        check_id(conversation_id)
        if store is not None:
            check_store(store)
        check_patience(patience)
        given = the_client(client, openai_client)
        register(type(self))
        self.store = store
        self.session_settings = SessionSettings.either(session_settings, settings)
        self._waits = partial(Waits, patience)
        self._remote = Remote(conversation_id, Clients(given))
        self._beside = None if store is None else Beside(store)
        self._writing = Writing(self._remote, self._beside, self._waits)
        self._about = AboutRemote(self._remote, self._beside, self._writing)
        self._clearing = Clearing(self._remote, self._beside, self._writing)
        self._turns = Turns(self, store)
        self._lock = ProcessLock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.conversation_id!r})"

    @property
    def conversation_id(self) -> str | None:
        """The id of the conversation; None before it is created."""
        return self._remote.id

    def _get_id(self) -> str:
        if self._remote.id is None:
            raise ValueError(
                "the conversation has no id yet: it is created with the first items; call "
                "add_items() with a non-empty list first"
            )
        return self._remote.id

    def _set_id(self, value: str) -> None:
        check_id(value)
        self._remote.id, self._remote.seen = value, None
        self._writing.forget()

    session_id: str = cast("str", property(_get_id, _set_id))
    """The id of the conversation. Raises `ValueError` before it is created."""

    def _get_settings(self) -> SessionSettings:
        return self._settings

    def _set_settings(self, value: SettingsLike) -> None:
        self._settings = SessionSettings.of(value)

    # An attribute, as in `Handle`.
    session_settings: AnySettings = property(_get_settings, _set_settings)
    """How much is read when the caller doesn't say: a `SessionSettings`, never None."""

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first; [] before the conversation is created.

        limit: None means the bound in `session_settings`; 0 means none, a negative number all.
        """
        register(type(self))
        block = self._block
        if block is not None and block.hides:
            return await self._shown_in(block, limit)
        if limit is None and self._settings.has_windows:
            return await self.view()
        return await self._read(self._settings.limit if limit is None else limit)

    async def _read(self, limit: int | None = None) -> list[TResponseInputItem]:
        if limit is not None:
            limit = None if limit < 0 else index(limit)
        async with self._alone():
            if self._remote.id is None or limit == 0:
                return []
            found = await (self._remote.all() if limit is None else self._remote.newest(limit))
        return [shown(item) for item in found]

    async def add_items(self, items: Iterable[object], *, key: str | None = None) -> None:
        """Append `items`, in order, in requests of 20 items.

        items: dicts, dataclasses, or models with `model_dump`; or `remaining` of an
            `IncompleteAppend`, to go on, without a key. Reasoning with neither an id nor its
            encrypted content is left out, because the API refuses it.
        key: a name for this write. However often it is tried with the same key and items, each
            item is stored once: by this session object, or with a store by all processes.

        A request that failed is tried again for a while, after a look at what is stored. Then the
        client's error is raised if it is certain that nothing was stored, else
        `IncompleteAppend`. If cancelled, it waits for the request under way and begins no other;
        the `IncompleteAppend` is the cause of the `CancelledError` then.
        """
        register(type(self))
        await self._add(items, key)

    async def _store(self, items: Iterable[object], key: str | None) -> None:
        write = Write.of(items, key, self._remote.id)
        if not write.items:
            return
        async with self._alone():
            await finished(self._writing.store(write), self._writing.stop)

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the newest item and return it; None if there is none.

        Two calls never return the same item, whichever processes make them.

        Raises `PopUncertain` if an answer was lost and the item is gone, for another call may have
        removed it; and if it can't be known whether it is gone.
        """
        async with self._alone():
            if self._remote.id is None:
                return None
            waits = self._waits()
            item = await finished(popped(self._remote, waits), waits.stop.set)
        return None if item is None else shown(item)

    async def clear_session(self, *, erase: bool = False) -> None:
        """Delete the conversation; the next write creates another one, with another id.

        Owner, tags, hold and pairs of other programs in the metadata go to the new one, if this
        session object makes that write: nobody else knows them until then. The title goes.

        erase: delete its items first, one request each. Without it, OpenAI keeps them for as long
            as its policies say. With it, that the items are gone is what the API has answered;
            what backups and logs of OpenAI hold can't be promised.

        If it fails, the session keeps its id; call it again. Entry and usage in a store go too.
        """
        async with self._alone():
            if self._remote.id is not None:
                await finished(self._clearing.clear(self._remote.id, erase=erase))

    async def history(self) -> list[TResponseInputItem]:
        """All items, oldest first, whatever `session_settings` say."""
        return await self.get_items(limit=-1)

    async def view(
        self,
        limit: int | None = None,
        *,
        settings: SettingsLike = None,
        interrupted: Interrupted = "mark",
    ) -> list[TResponseInputItem]:
        """The items that a model may be shown, as `StoredSession.view` gives them."""
        asked = self._settings.resolve(settings).resolve(SessionSettings(limit=limit))
        view = await View.of(self.tail(), asked)
        return await view.shown(interrupted)

    def tail(self) -> ListedTail:
        """The newest part of the conversation, to be read backwards as far as is needed."""
        bounded = self._settings.has_windows or self._settings.limit is not None
        tail = ConversationTail(self.get_items, EVERYTHING if bounded else {})
        tail.is_nested = self._turns.is_nested
        return tail

    def _raw_tail(self) -> Tail:
        return ConversationTail(self._read, {})

    def run_begun(
        self,
        view: ReadView,
        policy: Policy,
        *,
        seconds: float | None,
        busy_timeout: float | None,
        key: str | None,
        spending: Spending,
    ) -> AbstractAsyncContextManager[list[Item]]:
        return self._turns.begun(view, policy, seconds, busy_timeout, key, spending)

    @asynccontextmanager
    async def turn(
        self,
        new: str | Iterable[object],
        *,
        policy: Policy = "queue",
        settings: SettingsLike = None,
        callback: SessionInputCallback | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
        key: str | None = None,
        usage: object = None,
        compaction: object = None,
    ) -> AsyncIterator[ConversationTurn]:
        """Hold the session for one turn of a loop of your own, as `StoredSession.turn` does.

        Without a store, only turns on this session object wait for each other. The policy
        "branch", a `key`, `compaction` and `turn.end()` raise `NotSupported`.
        """
        if compaction is not None:
            await self.compact()
        given = input_items(new)

        async def view(session: Session) -> Merged:
            return await run_input(session, given, settings=settings, callback=callback)

        spending = Spending()
        async with self.run_begun(
            view,
            policy,
            seconds=lease_seconds,
            busy_timeout=busy_timeout,
            key=key,
            spending=spending,
        ) as begun:
            turn = ConversationTurn(self, begun, spending)
            try:
                with spent_at_end(spending, usage):
                    yield turn
            finally:
                turn.left()

    async def about(self) -> About:
        """Title, tags, owner, and whether it is archived or on hold."""
        async with self._alone():
            return await self._about.read()

    async def describe(self, **changes: Unpack[Changes]) -> About:
        """Change some of it, as `StoredSession.describe` does; returns what is known then.

        It is kept in the metadata of the conversation, beside other pairs there, and before the
        conversation is created in this object. Of changes that others make at the same time, the
        last one counts.

        Raises `ValueError` for what the metadata can't hold: 16 pairs, 512 characters each.
        """
        async with self._alone():
            return await finished(self._about.change(changes))

    async def usage(self, by: Any = None, **narrower: Any) -> Usage | dict[str, Usage]:
        """What the runs of Turnlog on this conversation have spent; it is in the store.

        by: None, "run", "agent" or "model". Branches and numbers of turns raise `NotSupported`.
        """
        if by == "turn" or narrower:
            refuse("branches and positions", "ask for all usage, or by run, agent or model")
        if self.store is None:
            refuse("record of usage", "give the session a store")
        beside: Any = StoredSession(self._remote.id or "", self.store)
        found: Usage | dict[str, Usage] = await beside.usage(by)
        return found

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._lock, hinted():
            yield
