"""One conversation, over any store."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from turnlog.conversation.protocol import Session, SessionABC
from turnlog.conversation.reading.endings import Endings
from turnlog.conversation.reading.milestones import Milestones
from turnlog.conversation.reading.recall import Past, recall
from turnlog.conversation.reading.tail import EVERYTHING, HasTail, ListedTail, Page, PagedTail, Tail
from turnlog.conversation.settings import SessionSettings, SettingsLike
from turnlog.conversation.turns.holding import begin_turn, open_turn_on
from turnlog.conversation.turns.lease import LEASE_SECONDS, Policy
from turnlog.conversation.turns.policy import turn_taken
from turnlog.conversation.turns.turn import Turn
from turnlog.errors import Conflict, StoreClosed
from turnlog.items.json import Item, TResponseInputItem, decode_all, encode_all
from turnlog.items.merge import SessionInputCallback, input_items
from turnlog.items.repair import Interrupted
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["Session", "SessionABC", "StoredSession"]

_logger = logging.getLogger(__name__)


class StoredSession(SessionABC, HasTail):
    """A cheap handle on one conversation in a store.

    Making one costs microseconds and opens nothing; make one per request if you
    like. The store is yours: closing the session leaves it open.

    session_id: any string; every id is a conversation of its own.
    branch: which continuation of the conversation, "main" unless told.
    session_settings: a `SessionSettings`, a dict, or None. Assigning later takes effect.
    """

    _negative_limit_means_all = True

    def __init__(
        self,
        session_id: str,
        store: Store,
        *,
        branch: str = "main",
        session_settings: SettingsLike = None,
    ) -> None:
        if not isinstance(session_id, str):
            raise TypeError(f"session_id is a str, not {type(session_id).__name__}: use str(…)")
        self.session_id = session_id
        self.store = store
        self.branch = branch
        self.session_settings = session_settings
        self.closed = False
        #: Positions of records that reads left out because they can't be decoded.
        self.unreadable: set[int] = set()

    @property
    def session_settings(self) -> Any:
        """A `SessionSettings`: what is read when the caller doesn't say. Never None."""
        # Any, because the SDK's protocol names its own class here: a type checker would
        # otherwise not let this session stand where the SDK's is asked for.
        return self._settings

    @session_settings.setter
    def session_settings(self, value: SettingsLike) -> None:
        self._settings = SessionSettings.of(value)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first.

        limit: None means what `session_settings` say: `limit`, and all items if that is
            None too; with `max_turns` or `max_tokens`, what `view` gives. 0 means none; a
            negative number means all.

        Records that can't be decoded are left out, logged with their position, and
        stay stored; the limit counts the others.
        """
        tail = self._paged_tail()
        if limit is None and self._settings.has_windows:
            past = await Past.of(tail, self._settings)
            return await past.shown()
        if limit is None:
            limit = self._settings.limit
        if limit is not None and limit < 0 and not self._negative_limit_means_all:
            limit = 0
        if limit is None or limit < 0:
            await tail.all()
            return tail.items
        await tail.until(lambda items: len(items) >= limit, limit)
        return tail.items[-limit:] if limit else []

    async def view(
        self,
        limit: int | None = None,
        *,
        settings: SettingsLike = None,
        interrupted: Interrupted = "mark",
    ) -> list[TResponseInputItem]:
        """What a model may be shown: the newest turns, mended by `turnlog.items.repair`.

        limit: at most so many items; None means what the settings say.
        settings: laid over the session's own.
        interrupted: whether a call whose output never came gets one that says so, or is
            left out.

        Under any bound it begins at a user's message. The records stay as they are.
        """
        asked = self._settings.resolve(settings).resolve(SessionSettings(limit=limit))
        past = await Past.of(self.tail(), asked)
        return await past.shown(interrupted)

    def tail(self) -> Tail:
        """The newest part of the conversation, to be read backwards as far as is needed."""
        if not self._get_items_is_overridden():
            return self._paged_tail()
        gives_less = self._settings.has_windows or self._settings.limit is not None
        everything = EVERYTHING if gives_less else {}
        return ListedTail(
            self.get_items,
            everything,
            is_exact=False,
            is_nested=self._is_within_a_turn(),
            endings=Endings(self.store, self._log()),
        )

    @asynccontextmanager
    async def turn(
        self,
        new: str | Iterable[object],
        *,
        policy: Policy = "queue",
        settings: SettingsLike = None,
        callback: SessionInputCallback | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> AsyncIterator[Turn]:
        """Hold the session for one turn of a loop of your own.

            async with session.turn("What's my name?") as turn:
                response = await client.responses.create(model=..., input=turn.input)
                await turn.add(response.output)

        The new input is stored before the block begins; a retry of a turn that has no
        answer yet stores nothing twice. Within the block no other run writes here.

        The turn is over when the model has answered, when the block is left behind a tool's
        output without an error, or after `await turn.end()`. Then the same words are a new
        question.

        new: what the user says, or a list of items.
        policy: what to do when another run is under way; see `RunConfig.session_policy`.
        settings, callback: as in `RunConfig`.
        lease_seconds: how long a turn that died keeps others waiting, at most.
        """
        given = input_items(new)
        async with turn_taken(self, policy, seconds=lease_seconds) as session:
            log = Log(session.session_id, session.branch)
            held = open_turn_on(session.store, log)
            view = partial(recall, session, given, settings=settings, callback=callback)
            shown = await begin_turn(view, session.add_items, held)
            turn = Turn(session, Endings(session.store, log), shown, held)
            yield turn
            await turn.left()

    async def add_items(self, items: Iterable[object], *, key: str | None = None) -> None:
        """Put `items` at the end, in order, all of them or none.

        items: dicts, dataclasses, or models with `model_dump`. What JSON has no form
            for raises `InvalidItem` before anything is written.
        key: a name for this write. However often it is tried with the same key, it
            happens once; so a try whose answer was lost can safely be repeated.

        If cancelled, it waits until the outcome is known: the items are all there or
        none is.
        """
        log = self._log()
        payloads = encode_all(items)
        if not payloads:
            return
        turn = open_turn_on(self.store, log)
        if turn is None:
            await self.store.append(log, payloads, key=key)
        else:
            await turn.append(payloads, key, store=self.store)

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the newest item away and return it; None if there is none.

        Two calls never return the same item. Records that can't be decoded are
        removed on the way.
        """
        log = self._log()
        while True:
            last, doomed, item = await self._newest(log)
            if last == 0:
                return None
            try:
                await self.store.remove(log, after=doomed - 1, expect=last)
            except Conflict:
                continue  # somebody else wrote first: look again
            turn = open_turn_on(self.store, log)
            if turn is not None:
                turn.popped()
            return item

    async def clear_session(self) -> None:
        """Forget this conversation; on the main branch, all its branches and notes too."""
        log = self._log()
        name = None if log.name == "main" else log.name
        delete = partial(self.store.delete, log.session, name)
        turn = open_turn_on(self.store, log)
        await (delete() if turn is None else turn.clear(delete))

    def _log(self) -> Log:
        if self.closed:
            raise StoreClosed(type(self).__name__)
        return Log(self.session_id, self.branch)

    def _get_items_is_overridden(self) -> bool:
        return "get_items" in vars(self) or type(self).get_items is not StoredSession.get_items

    def _paged_tail(self) -> PagedTail:
        log = self._log()

        async def page(before: int | None, limit: int | None) -> Page:
            return self._page(await self._read(log, before=before, limit=limit))

        milestones, endings = Milestones(self.store, log), Endings(self.store, log)
        return PagedTail(page, milestones, endings, is_nested=self._is_within_a_turn())

    def _is_within_a_turn(self) -> bool:
        turn = open_turn_on(self.store, self._log())
        return turn is not None and turn.has_written

    async def _read(
        self, log: Log, *, before: int | None = None, limit: int | None = None
    ) -> Records:
        records = await self.store.read(log, before=before, limit=limit)
        turn = open_turn_on(self.store, log)
        if turn is not None and before is None and limit != 0:
            turn.saw(records.positions[-1] if records else 0)
        return records

    async def _newest(self, log: Log) -> tuple[int, int, Item | None]:
        """The log's last position; where to cut to take the newest item; that item."""
        last, cut, wanted = 0, 0, 1
        while True:
            records = await self.store.read(log, before=cut or None, limit=wanted)
            last = last or (records.positions[-1] if records else 0)
            items = decode_all(records.payloads)
            for cut, item in zip(reversed(records.positions), reversed(items), strict=True):
                if item is not None:
                    return last, cut, item
            if len(records) < wanted:
                return last, cut, None
            wanted *= 2

    def _page(self, records: Records) -> Page:
        """What can be read of `records`."""
        items = decode_all(records.payloads)
        if None not in items:
            return Page(cast("list[Item]", items), records.positions, records.positions)
        self._report(records, items)
        pairs = zip(items, records.positions, strict=True)
        read = [(item, position) for item, position in pairs if item is not None]
        return Page(
            [item for item, _ in read], [position for _, position in read], records.positions
        )

    def _report(self, records: Records, items: list[Item | None]) -> None:
        lost = {at for at, item in zip(records.positions, items, strict=True) if item is None}
        for position in sorted(lost - self.unreadable):
            _logger.warning(
                "session %r, branch %r: record %d can't be decoded and is left out",
                self.session_id,
                self.branch,
                position,
            )
        self.unreadable |= lost
