"""The session that has OpenAI compact a conversation: over any session, and append-only over ours.

The SDK's Runner finds it by the names of its methods, and so does ours.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Self, TypeAlias

from turnlog.conversation.closing import Closing, closed
from turnlog.conversation.held.holding import Holding
from turnlog.conversation.protocol import Session, SessionABC, is_session
from turnlog.conversation.reading.tail import EVERYTHING, HasTail, ListedTail, Tail
from turnlog.conversation.settings import AnySettings, SessionSettings
from turnlog.conversation.turns.policy import Policy
from turnlog.items.given import check_session_id, given
from turnlog.items.json import Item, TResponseInputItem
from turnlog.sessions.compaction.aware import OpenAIResponsesCompactionArgs
from turnlog.sessions.compaction.compacting import Compacting, Context, Outside
from turnlog.sessions.compaction.holding import held_over
from turnlog.sessions.compaction.modes import Mode, check_mode, is_openai_model, model_for
from turnlog.sessions.compaction.state import State
from turnlog.sessions.compaction.summarising import appends_to, newest_shown
from turnlog.sessions.compaction.targets import as_it_is

__all__ = ["OpenAIResponsesCompactionSession"]

_logger = logging.getLogger(__name__)

Trigger: TypeAlias = Callable[[Context], bool]

#: The default trigger compacts from so many items on, the user's messages not counted.
_CANDIDATES = 10


class OpenAIResponsesCompactionSession(SessionABC, HasTail):
    """A session that has OpenAI's `responses.compact` shorten its history.

        session = OpenAIResponsesCompactionSession(
            "user_123", SQLiteSession("user_123", "conversations.db"), model="gpt-5-mini"
        )

    A Runner, ours or the SDK's, asks for it behind each turn. Over a session of Turnlog it
    **appends a summary**: all records stay, `underlying_session.drop_summary()` undoes it, and
    what others add meanwhile stays visible. Over any other session it replaces the items, in one
    step if the session can, else by `clear_session` and `add_items`; if that fails or is
    cancelled, everything is put back.

    session_id: a name; the wrapped session has its own.
    underlying_session: holds the items. Not one whose items OpenAI keeps.
    client: an `AsyncOpenAI`; without one, it is made from OPENAI_API_KEY on first use.
    model: the model that compacts. None means the one of the run; the SDK's Runner does not tell
        it, so there it has to be given.
    compaction_mode: "input" sends the items, "previous_response_id" lets OpenAI look up what it
        has stored, "auto" does that if it is known to have stored it.
    should_trigger_compaction: says of a dict with response_id, compaction_mode,
        compaction_candidate_items and session_items whether it is time. By default with 10
        candidates: neither the user's messages nor what an earlier compaction made.
    max_rollback_items: if more items are stored than these, a compaction that would have to read
        all of them raises `ValueError`; None means any number.

    What a Runner asks for replaces only what the model has just seen; by hand, `run_compaction`
    replaces everything. Items that can't be sent, as they are encrypted, are refused.
    """

    def __init__(
        self,
        session_id: str,
        underlying_session: Session,
        *,
        client: Any = None,
        model: str | None = None,
        compaction_mode: Mode = "auto",
        should_trigger_compaction: Trigger | None = None,
        max_rollback_items: int | None = None,
    ) -> None:
        check_session_id(session_id, type(self).__name__)
        _check_underlying(underlying_session)
        if model is not None and not is_openai_model(model):
            raise ValueError(f"Unsupported model for OpenAI responses compaction: {model}")
        _check_client(client)
        if max_rollback_items is not None and max_rollback_items <= 0:
            raise ValueError("max_rollback_items must be positive or None")
        self.session_id = session_id
        self.underlying_session: Any = underlying_session
        self.model = model
        self.compaction_mode = check_mode(compaction_mode)
        self.max_rollback_items = max_rollback_items
        self.should_trigger_compaction = should_trigger_compaction or _is_time
        self._client = client
        self._state = State()
        _make_known()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.session_id!r}, {self.underlying_session!r})"

    def close(self) -> Closing:
        """Close the wrapped session, as `await` of its own `close` does. Closing twice is fine."""
        return closed(self.underlying_session)

    @property
    def client(self) -> Any:
        """The `AsyncOpenAI` that is asked."""
        if self._client is None:
            self._client = _new_client()
        return self._client

    def _get_settings(self) -> AnySettings:
        return getattr(self.underlying_session, "session_settings", None)

    def _set_settings(self, value: AnySettings) -> None:
        self.underlying_session.session_settings = value

    # An attribute, as in `Handle`.
    session_settings: AnySettings = property(_get_settings, _set_settings)
    """The settings of the wrapped session."""

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first, with what a compaction has made in front.

        limit: None means the bounds in the settings of the wrapped session.
        """
        stored = appends_to(self.underlying_session)
        if stored is not None:
            return await newest_shown(stored, limit)
        return list(await self.underlying_session.get_items(limit))

    def tail(self) -> Tail:
        """The newest part of the conversation, to be read backwards as far as is needed."""
        settings = SessionSettings.of(self.session_settings)
        gives_less = settings.has_windows or settings.limit is not None
        return ListedTail(self.get_items, EVERYTHING if gives_less else {})

    async def add_items(self, items: Iterable[object]) -> None:
        """Append `items`, in order, all of them or none. It waits for a compaction under way."""
        async with self._state.lock:
            try:
                await self.underlying_session.add_items(items)
            finally:  # it may have been stored although it failed
                self._state.added()

    def held(
        self,
        policy: Policy = "queue",
        key: str | None = None,
        lease_seconds: float | None = None,
        busy_timeout: float | None = None,
    ) -> Holding[Self]:
        """Hold the session for a runner of another library, as `StoredSession.held` does.

        Raises `NotSupported` over a session that is none of ours, and for the policy "branch".
        """
        below = self.underlying_session
        return held_over(self, below, policy, key, lease_seconds, busy_timeout)

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the newest item and return it; None if there is none.

        Over a session of ours that is the newest record. If a summary covers it, what the summary
        stands for is shown again.
        """
        async with self._state.lock:
            popped: Item | None = {}
            try:
                popped = await self.underlying_session.pop_item()
            finally:  # it may have been removed although it failed
                if popped is not None:
                    self._state.removed()
            return popped

    async def clear_session(self) -> None:
        """Empty the wrapped session. It waits for a compaction under way."""
        async with self._state.lock:
            try:
                await self.underlying_session.clear_session()
            finally:  # it may have been cleared although it failed
                self._state.removed()

    async def run_compaction(
        self, args: OpenAIResponsesCompactionArgs | None = None, *, wrapper: Any = None
    ) -> None:
        """Have OpenAI compact the history, if it is time.

        args: None, or a dict with any of response_id: the newest response of the model; store:
            whether OpenAI has stored that; compaction_mode: instead of that of the session; force:
            True doesn't ask whether it is time.
        wrapper: the context of a run, to whose usage that of the request is added.

        By hand it replaces all that is stored. If anything fails, nothing has changed.
        """
        if args is not None and not isinstance(args, Mapping):
            raise TypeError(
                "the arguments of a compaction must be a dict, such as {'force': True}, not "
                f"{type(args).__name__}"
            )
        await self._run_compaction(args, wrapper=wrapper)

    async def _run_compaction(
        self,
        args: OpenAIResponsesCompactionArgs | None,
        *,
        wrapper: Any,
        read_items: Callable[[int | None], Awaitable[tuple[list[Item], bool]]] | None = None,
        prepare_items: Callable[[list[Item]], list[Item]] | None = None,
        read_snapshot: Callable[[int], Awaitable[Any]] | None = None,
    ) -> None:
        """The same, for a session around this one.

        read_items: reads the newest items as that one sees them, and says whether these are all.
        prepare_items: makes of items what is to be stored.
        read_snapshot: as `Replaceable._get_compaction_snapshot`, of items as that one sees them.
        """
        _make_known()
        async with self._state.lock:
            expected = getattr(wrapper, "_session_compaction_generation", self._state.generation)
            if expected != self._state.generation:
                _logger.warning(
                    "session %r is not compacted: it was changed after the run had stored its "
                    "items",
                    self.session_id,
                )
                return
            outside = Outside(read_items, prepare_items or as_it_is, read_snapshot)
            await Compacting(self, self._state, wrapper, outside).run(args or {})

    async def _defer_compaction(
        self,
        response_id: str,
        store: bool | None = None,
        *,
        read_items: Callable[[int | None], Awaitable[tuple[list[Item], bool]]] | None = None,
    ) -> None:
        """Remember that a response can't be compacted yet, because its tools' outputs follow."""
        async with self._state.lock:
            if self._state.chain.deferred is not None:
                return
            compacting = Compacting(self, self._state, None, Outside(read_items))
            mode = self._state.chain.mode(self.compaction_mode, response_id, store)
            if compacting.is_time(await compacting.seen(), mode, response_id):
                self._state.chain.deferred = response_id

    def _get_deferred_compaction_response_id(self) -> str | None:
        return self._state.chain.deferred

    @property
    def _ignore_ids_for_matching(self) -> bool:
        return bool(getattr(self.underlying_session, "_ignore_ids_for_matching", False))

    async def _get_items_with_generation(
        self, read: Callable[[], Awaitable[list[Item]]]
    ) -> tuple[list[Item], int]:
        """What `read` gives, and the number of changes so far; for the SDK's Runner.

        Raises `ValueError` if the model is missing, before that Runner asks its own.
        """
        model_for(self.model, None)
        async with self._state.lock:
            return await read(), self._state.generation

    async def _add_items_with_generation(
        self, write: Callable[[], Awaitable[None]], *, expected_generation: int | None
    ) -> int | None:
        """Have `write` add items; the number of changes, or None if others have written too."""
        await write()
        is_alone = (
            expected_generation is not None and self._state.generation == expected_generation + 1
        )
        return self._state.generation if is_alone else None


def _is_time(context: Context) -> bool:
    return len(context["compaction_candidate_items"]) >= _CANDIDATES


def _check_underlying(session: Session) -> None:
    """Raise `TypeError` for what is no session, `ValueError` for one whose items OpenAI keeps."""
    if not is_session(session):
        raise TypeError(
            f"underlying_session must be a session, not {given(session)}: give one, such as "
            f'SQLiteSession(session_id, "conversations.db")'
        )
    names = {kind.__name__ for kind in type(session).__mro__}
    if "OpenAIConversationsSession" in names:
        raise ValueError(
            "OpenAIResponsesCompactionSession cannot wrap OpenAIConversationsSession, whose "
            "history OpenAI manages itself: wrap a session that stores its items"
        )


def _check_client(client: object) -> None:
    """Raise `TypeError` for what can't be asked, or blocks. The package may not be installed."""
    if client is None:
        return
    blocking = getattr(sys.modules.get("openai"), "OpenAI", None)
    if isinstance(client, str | type) or not hasattr(client, "responses"):
        raise TypeError(
            f"client must be an AsyncOpenAI, not {given(client)}: make one with AsyncOpenAI()"
        )
    if blocking is not None and isinstance(client, blocking):
        raise TypeError(
            f"client must be an AsyncOpenAI, not {given(client)}, which blocks; a program that "
            f"blocks can use turnlog.sync.OpenAIResponsesCompactionSession"
        )


def _new_client() -> Any:
    try:
        from openai import AsyncOpenAI  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "compaction by OpenAI needs the openai package: pip install 'turnlog[openai]'",
            name=error.name,
        ) from error
    return AsyncOpenAI()


def _make_known() -> None:
    """Have the SDK, if it is loaded, take our class for its own: it asks for that in places."""
    module = sys.modules.get("agents.memory.openai_responses_compaction_session")
    theirs = getattr(module, "OpenAIResponsesCompactionSession", None)
    if theirs is not None and not issubclass(OpenAIResponsesCompactionSession, theirs):
        theirs.register(OpenAIResponsesCompactionSession)
