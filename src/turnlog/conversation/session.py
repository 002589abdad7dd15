"""Session on a store: one conversation, read, written and explained over any store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from turnlog.changes import Append, Key, Remove
from turnlog.conversation.about import Described
from turnlog.conversation.branches.clearing import cleared
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.conversation.handle import faithful
from turnlog.conversation.held.current import block_on
from turnlog.conversation.protocol import Session, SessionABC
from turnlog.conversation.reading.explain import Explanation, explained
from turnlog.conversation.reading.known_records import KnownRecords
from turnlog.conversation.reading.log import Newest
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
from turnlog.conversation.turn_blocks import TurnBlocks
from turnlog.conversation.turn_lists import TurnLists
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.next_write import extra_changes_on
from turnlog.conversation.turns.writing import write_to
from turnlog.errors import Conflict
from turnlog.items.digest import digest
from turnlog.items.given import check_int_or_none, check_key
from turnlog.items.json import TResponseInputItem, encode_all
from turnlog.items.messages import checked
from turnlog.items.repair import Interrupted
from turnlog.records import Log

__all__ = ["Session", "SessionABC", "StoredSession"]


class StoredSession(TurnBlocks, TurnLists, Described, Replaceable):
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
        if self._is_overridden("get_items"):
            raise TypeError(
                f"{type(self).__name__} overrides get_items, so the records behind its items are "
                f"not known: explain a StoredSession on the same store"
            )
        tail = self._compacted_tail(self._log())
        return await explained(tail, self._settings.resolve(settings), interrupted)

    def tail(self) -> Tail:
        """The newest part of the conversation, to be read backwards as far as is needed."""
        log = self._log()
        if not self._is_overridden("get_items"):
            return self._compacted_tail(log)
        reader = self._reader_of(log)
        gives_less = self._settings.has_windows or self._settings.limit is not None
        return ListedTail(self.get_items, EVERYTHING if gives_less else {}, reader)

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
            done = await commit_unless_deleted(self.store, log, changes, name)
            end = done.positions[0]
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
