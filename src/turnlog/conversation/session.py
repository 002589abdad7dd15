"""Session on a store: one conversation, read, written and explained over any store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial

from turnlog.changes import Append, Key, Remove
from turnlog.conversation.about import Described
from turnlog.conversation.branches.clearing import cleared
from turnlog.conversation.compaction.automatic import compacted_after
from turnlog.conversation.compaction.compactable import Compactable
from turnlog.conversation.compaction.policy import Compaction
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.conversation.handle import faithful
from turnlog.conversation.held.current import block_on
from turnlog.conversation.held.holdable import Holdable
from turnlog.conversation.protocol import Session, SessionABC
from turnlog.conversation.reading.explain import Explanation, explained
from turnlog.conversation.reading.known_records import KnownRecords
from turnlog.conversation.reading.log import Newest
from turnlog.conversation.reading.run_input import run_input
from turnlog.conversation.reading.tail import (
    EVERYTHING,
    ListedTail,
    Tail,
    lay_behind,
    newest_of,
)
from turnlog.conversation.reading.view import View
from turnlog.conversation.replacing import Replaceable
from turnlog.conversation.settings import SessionSettings, SettingsLike
from turnlog.conversation.turn_lists import TurnLists
from turnlog.conversation.turns.answering import accounted
from turnlog.conversation.turns.beginning import turn_begun
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.duration import check_busy_timeout, check_lease_seconds
from turnlog.conversation.turns.next_write import extra_changes_on
from turnlog.conversation.turns.policy import Policy, check_policy
from turnlog.conversation.turns.run_key import RunKey
from turnlog.conversation.turns.turn import Turn, block_of
from turnlog.conversation.turns.writing import write_to
from turnlog.conversation.usage.spending import Spending, spent_at_end
from turnlog.errors import Conflict
from turnlog.items.digest import digest
from turnlog.items.given import check_int_or_none, check_key
from turnlog.items.json import TResponseInputItem, encode_all
from turnlog.items.merge import Merged, SessionInputCallback, input_items
from turnlog.items.messages import checked
from turnlog.items.repair import Interrupted
from turnlog.records import Log

__all__ = ["Session", "SessionABC", "StoredSession"]


class StoredSession(Holdable, TurnLists, Described, Replaceable, Compactable):
    """A cheap handle on one conversation in a store.

    Making one costs microseconds and opens nothing; make one per request if you
    like. The store is yours: closing the session leaves it open.

    session_id: any string; every id is a conversation of its own.
    branch: which continuation of the conversation; "main" by default.
    session_settings: a `SessionSettings`, a dict, or None. Assigning later takes effect.
    lease_seconds: how long a run that died keeps others waiting, at most; None for the default of
        the store, of TURNLOG_LEASE_SECONDS, or 10. Assigning later takes effect.
    """

    @faithful
    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first, as they are stored.

        For a request of your own to a model, use `view`: it also leaves out and mends what
        providers refuse, such as a call without an output, and keeps turns whole.

        limit: None means the bound in `session_settings`: `limit`, and all items if that is
            None too; with `max_turns` or `max_tokens`, the same as `view`. 0 means none; a
            negative number means all.

        Without an argument, a summary stands for the records that it covers. With one, these are
        shown themselves, as `history` shows all of them.

        Records that can't be decoded, or were damaged or moved in an encrypted store, are left
        out, logged with their position, and stay stored; the limit counts the others. Raises
        `Unreadable` for encrypted records without their key.
        """
        log = self._log()
        block = block_on(self.store, log)
        if block is not None and block.hides:
            return await self._shown_in(block, log, limit)
        if limit is None:
            return await self._shown_unasked(log)
        check_int_or_none("limit", limit)
        if limit < 0 and self._negative_limit_means_all:
            return await self.history()
        return await self._reader_of(log).newest(limit)

    async def history(self) -> list[TResponseInputItem]:
        """All items of this branch, oldest first, also those that a summary covers."""
        reader = self._reader_of(self._log())
        page = await reader.page()
        self._known_records = KnownRecords(reader.log, page.newest)
        return page.items

    async def view(
        self,
        limit: int | None = None,
        *,
        settings: SettingsLike = None,
        interrupted: Interrupted = "mark",
    ) -> list[TResponseInputItem]:
        """The items that a model may be shown: the newest turns, repaired.

        `get_items` gives the items as they are stored instead.

        limit: at most so many items; None means the bound in the settings.
        settings: laid over the session's own.
        interrupted: whether a call whose output never came gets one that says so, or is
            left out.

        Under any bound it begins at a user's message. The records stay as they are;
        `explain` tells what was done with each, and why.
        """
        asked = self._settings.resolve(settings).resolve(SessionSettings(limit=limit))
        view = await View.of(self.tail(), asked)
        return await view.shown(interrupted)

    async def explain(
        self, settings: SettingsLike = None, *, interrupted: Interrupted = "mark"
    ) -> Explanation:
        """The view with its reasons: what is done with each stored record, and why.

        settings: laid over the session's own.
        interrupted: as in `view`.

        It reads the whole log and writes nothing. Raises `TypeError` in a class that overrides
        `get_items`, because the records behind its items are not known.
        """
        if self._get_items_is_overridden():
            raise TypeError(
                f"{type(self).__name__} overrides get_items, so the records behind its items are "
                f"not known: explain a StoredSession on the same store"
            )
        tail = self._compacted_tail(self._log())
        return await explained(tail, self._settings.resolve(settings), interrupted)

    def tail(self) -> Tail:
        """The newest part of the conversation, to be read backwards as far as is needed."""
        log = self._log()
        if not self._get_items_is_overridden():
            return self._compacted_tail(log)
        reader = self._reader_of(log)
        gives_less = self._settings.has_windows or self._settings.limit is not None
        return ListedTail(self.get_items, EVERYTHING if gives_less else {}, reader)

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
        compaction: Compaction | None = None,
    ) -> AsyncIterator[Turn]:
        """Hold the session for one turn of a loop of your own.

            async with session.turn("What's my name?") as turn:
                response = await client.responses.create(model="gpt-5-mini", input=turn.input)
                await turn.add(response.output)

        The new input is stored before the block begins; a retry of a turn that has no
        answer yet stores nothing twice. Within the block no other run writes here.

        The turn is over when the model has answered, when the block ends without an error and
        the last item is a tool's output, or after `await turn.end()`. Then the same words are a
        new question.

        new: the user's message, or a list of items.
        policy: what to do when another run is under way; see `RunConfig.session_policy`.
        settings, callback: as in `RunConfig`.
        lease_seconds: how long a turn that died keeps others waiting, at most; None for the
            session's default.
        busy_timeout: for how many seconds it waits for another run before `SessionWaitTimeout`;
            None for no bound.
        key: a name for this turn, such as the id of a request. However often it is begun with
            the same key, the question is stored once; once it was answered, `Turn.answer` holds
            what was stored behind it, and there is nothing to do. Then another input raises
            `KeyReused`.
        usage: what the turn has cost, read when the block ends: a usage object that your loop
            adds to, or a function that gives one. `Turn.add` takes usage too; both add up.
        compaction: when older turns are summed up, as in `RunConfig`. That happens behind the
            block, and `Turn.compaction` then tells the outcome.
        """
        if key is not None:
            check_key(key)
        check_policy(policy)
        check_lease_seconds(lease_seconds)
        check_busy_timeout(busy_timeout)
        given = input_items(new)
        log = await self._arrived()
        if compaction is not None:
            self._check_compactable()
        run = None if key is None else RunKey.of(log, key, given)

        async def view(session: StoredSession, *, resumes: bool = True) -> Merged:
            return await run_input(
                session,
                given,
                settings=settings,
                callback=callback,
                resumes=resumes,
                bounding=None if compaction is None else compaction.bounding,
            )

        async with turn_begun(
            self, view, policy, seconds=lease_seconds, busy_timeout=busy_timeout, key=run
        ) as begun:
            spending = Spending()
            turn = Turn(begun.session, begun.shown, begun.turn, begun.answer, spending)
            async with accounted(begun.session, begun.turn, begun.question, spending) as pending:
                with spent_at_end(spending, usage), block_of(turn):
                    yield turn
                await turn.left(pending)
        if compaction is not None and begun.answer is None:
            turn.compaction = await compacted_after(
                begun.session, compaction, question=begun.question, reported=spending.last
            )

    @faithful
    async def add_items(
        self, items: Iterable[object], *, key: str | None = None, strict: bool = True
    ) -> None:
        """Append `items`, in order, all of them or none.

        items: dicts, dataclasses, or models with `model_dump`. A value that JSON has no form
            for raises `InvalidItem` before anything is written.
        key: a name for this write. However often it is tried with the same key, it
            happens once; so a write whose answer was lost can safely be tried again.
        strict: refuse a message that every provider refuses, with `InvalidItem`: without a role
            or with an unknown one, or a user's without text or parts.

        If cancelled, it waits until the outcome is known: the items are all stored, or
        none of them.
        """
        log = self._log()
        if key is not None:
            check_key(key)
        payloads = encode_all(checked(items) if strict else items)
        if not payloads:
            return
        name = None if key is None else Key.of(log, key, digest(payloads))
        write = partial(self._append, log, name)
        block = block_on(self.store, log)
        if block is None:
            await write(payloads)
        else:
            await block.add(payloads, write, is_named=key is not None)

    async def _append(self, log: Log, name: Key | None, payloads: list[bytes]) -> None:
        turn = open_turn_on(self.store, log)
        extra = extra_changes_on(self.store, log)
        if turn is None:
            changes = [Append(log.name, payloads), *(extra.changes if extra else ())]
            end = (await commit_unless_deleted(self.store, log, changes, name))[0]
        else:
            end = await turn.append(payloads, name, store=self.store)
        self._wrote(log, end, len(payloads))
        if extra is not None:
            extra.made(end)
        if turn is None:
            await lay_behind(self._reader_of(log), end, len(payloads))

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the newest item and return it; None if there is none.

        Two calls never return the same item. Records that can't be decoded are
        removed on the way. Raises `Unreadable`, and removes nothing, if the newest record is
        encrypted and can't be opened.
        """
        return await self._pop_item_with_validation()

    async def _pop_item_with_validation(
        self, validate: Callable[[TResponseInputItem], None] | None = None
    ) -> TResponseInputItem | None:
        """The same as `pop_item`, if `validate` raises nothing for the item; for wrappers.

        The SDK's `SQLiteSession` has this method too. If it raises, nothing is removed.
        """
        log = self._log()
        while True:
            newest = await self._reader_of(log).newest_readable()
            if newest.last == 0:
                return None
            if validate is not None and newest.item is not None:
                validate(newest.item)
            try:
                await self._remove(log, newest)
            except Conflict:
                continue  # the log has changed since the read: read again
            return newest.item

    @faithful
    async def clear_session(self) -> None:
        """Empty this branch; on the main branch, the whole conversation, and delete its branches.

        Owner, tags, hold and the names of branches stay, as docs/branches.md says. A conversation
        that has none of them is deleted.
        """
        await cleared(self.store, self._log())

    async def _shown_unasked(self, log: Log) -> list[TResponseInputItem]:
        """The items that `get_items()` shows: as many as the settings say."""
        tail = self._compacted_tail(log)
        most = self._settings.limit
        if self._settings.has_windows:
            return await (await View.of(tail, self._settings, compaction="keep")).shown()
        if most is not None and (most >= 0 or not self._negative_limit_means_all):
            return await newest_of(tail, most)
        await tail.all()
        self._known_records = KnownRecords(log, tail.newest)
        return [*tail.front, *tail.items]

    async def _remove(self, log: Log, newest: Newest) -> None:
        """Remove the newest item and what lies behind it, unless the log has changed."""
        removal = Remove(log.name, newest.position - 1, expect=newest.last)
        await write_to(self.store, log, [removal])

    def _wrote(self, log: Log, end: int, count: int) -> None:
        """Remember that this session added `count` records, behind which `log` ended at `end`."""
        if self._known_records is not None:
            self._known_records.wrote(log, end, count)

    def add_items_is_overridden(self) -> bool:
        """Whether a subclass or this instance has its own `add_items`."""
        return self._is_overridden("add_items")

    def _get_items_is_overridden(self) -> bool:
        return self._is_overridden("get_items")
