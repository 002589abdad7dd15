"""`AdvancedSQLiteSession`: a session in an SQLite file, with the behaviour of the SDK's class."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from turnlog.conversation.branches.clearing import cleared
from turnlog.conversation.deletion import mark_of
from turnlog.conversation.handle import faithful
from turnlog.conversation.session import StoredSession
from turnlog.conversation.settings import SettingsLike
from turnlog.conversation.turns.current import open_turn_on
from turnlog.errors import BranchDeleted
from turnlog.items.given import given
from turnlog.items.json import TResponseInputItem
from turnlog.records import Log
from turnlog.sessions.sqlite import SQLiteSession
from turnlog.stores.sqlite import JournalMode, SQLiteStore
from turnlog.stores.sqlite.sharing import check_file

__all__ = ["AdvancedSQLiteSession"]

_logger = logging.getLogger(__name__)

#: How an identifier may be quoted in SQLite.
_QUOTES = {('"', '"'), ("`", "`"), ("[", "]")}


class AdvancedSQLiteSession(SQLiteSession):
    """One conversation in an SQLite file, or in memory, with branches, turns and usage.

    Every stored session has them. This class behaves in a few points as the one of the same
    name in the OpenAI Agents SDK: it clears the conversation from any branch, an empty branch
    does not exist for `switch_to_branch` and `delete_branch`, `store_run_usage` never raises, and
    a session whose branch was deleted by another one goes back to "main".

    session_id: any string; every id is a conversation of its own.
    db_path: the database file; ":memory:" keeps the conversation in this object alone.
    options: a dict with any of the other parameters; one that is given by name as well wins.
    create_tables: True makes the tables of the SDK's class too, before the first write, so that it
        can use the same file; a write then takes about 30 µs more. False expects them there, and
        raises `ValueError` if they are missing. None asks for neither. True and False raise
        `ValueError` if another pair of tables owns the file; see docs/sdk.md.
    logger: where errors of `store_run_usage` are logged.
    sessions_table, messages_table: as in `SQLiteSession`; also as quoted SQL identifiers.
    session_settings, settings, journal_mode, patience: as in `SQLiteSession`.

    A new session stands on "main".
    """

    def __init__(
        self,
        session_id: str,
        db_path: str | os.PathLike[str] = ":memory:",
        options: Mapping[str, Any] | None = None,
        *,
        create_tables: bool | None = None,
        logger: logging.Logger | None = None,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        sessions_table: str | None = None,
        messages_table: str | None = None,
        journal_mode: JournalMode | None = None,
        patience: float | None = None,
    ) -> None:
        by_name = {
            "create_tables": create_tables,
            "logger": logger,
            "session_settings": session_settings,
            "settings": settings,
            "sessions_table": sessions_table,
            "messages_table": messages_table,
            "journal_mode": journal_mode,
            "patience": patience,
        }
        chosen = _chosen(options or {}, by_name)
        creates = chosen.pop("create_tables", None)
        self._logger: logging.Logger = chosen.pop("logger", _logger)
        super().__init__(session_id, db_path, **chosen)
        if isinstance(self._store, SQLiteStore):
            if creates is not None:
                check_file(self._store.path, self._store.tables, create=creates)
                self._store.shared = True
        elif creates is False:
            raise ValueError(
                "a database in memory has no tables yet: create_tables=True makes them"
            )

    @faithful
    async def get_items(
        self, limit: int | None = None, branch_id: str | None = None
    ) -> list[TResponseInputItem]:
        """The newest `limit` items of a branch, oldest first; see `StoredSession.get_items`.

        branch_id: None is the branch that this session stands on; one that does not exist has
            no items.
        """
        if branch_id is not None and branch_id != self.branch:
            log = await self._log_of(branch_id)
            return [] if log is None else await self._on(log).get_items(limit)
        items = await super().get_items(limit)
        if not items and await self._has_left_deleted():
            return await super().get_items(limit)
        return items

    @faithful
    async def add_items(
        self, items: Iterable[object], *, key: str | None = None, strict: bool = True
    ) -> None:
        """Append `items`, all of them or none; see `StoredSession.add_items`."""
        given = [*items] if isinstance(items, Iterator) else items
        turn = open_turn_on(self.store, self._log())
        try:
            await super().add_items(given, key=key, strict=strict)
        except BranchDeleted as error:
            if turn is not None:
                raise  # it has read that branch, and its lease guards no other
            self._leave(error.log)
            await super().add_items(given, key=key, strict=strict)

    async def _pop_item_with_validation(
        self, validate: Callable[[TResponseInputItem], None] | None = None
    ) -> TResponseInputItem | None:
        """Remove the newest item of the branch and return it; see `StoredSession`."""
        try:
            item = await super()._pop_item_with_validation(validate)
        except BranchDeleted:
            item = None
        if item is None and await self._has_left_deleted():
            return await super()._pop_item_with_validation(validate)
        return item

    @faithful
    async def clear_session(self) -> None:
        """Empty the conversation with all its branches, and go to "main"."""
        await cleared(self.store, self._log()._replace(name="main"))
        self.branch = "main"

    async def store_run_usage(self, result: object) -> None:
        """Record what a run has spent, for the newest turn. Never raises: errors are logged.

        Nothing is recorded on an empty branch, or if the branch was deleted.
        """
        try:
            is_gone = await self._has_left_deleted()  # then so is the turn that was paid for
            if not is_gone and await self.store.read(self._log(), limit=1):
                await super().store_run_usage(result)
        except Exception as error:  # noqa: BLE001 - as in the SDK; the usage is lost, the run is not
            self._logger.error(  # noqa: TRY400 - a traceback could show what people said
                "Failed to store the usage of a run on session %r: %s",
                self.session_id,
                type(error).__name__,
            )

    async def delete_branch(self, branch_id: str, force: bool = False) -> None:
        """Delete a branch that has items; see `StoredSession.delete_branch`."""
        self._log()
        self._check_deletable(branch_id, force)
        await self._check_has_items(branch_id)
        await super().delete_branch(branch_id, force)

    async def _arrived(self) -> Log:
        """The log that this session stands on, after it has left a branch that was deleted."""
        await self._has_left_deleted()
        return self._log()

    async def _has_left_deleted(self) -> bool:
        """Whether the branch was deleted by another session, so that this one stands on "main"."""
        log = self._log()
        if log.name == "main" or open_turn_on(self.store, log) is not None:
            return False  # a turn stays on its branch
        if not await self.store.read(mark_of(log), limit=1):
            return False
        self._leave(log)
        return True

    def _leave(self, log: Log) -> None:
        if self.branch == log.name:
            self.branch = "main"

    def _on(self, log: Log) -> StoredSession:
        return StoredSession(
            log.session, self.store, branch=log.name, session_settings=self.session_settings
        )


def _chosen(options: Mapping[str, Any], by_name: Mapping[str, object]) -> dict[str, Any]:
    """The parameters that were given."""
    kind: object = options
    if not isinstance(kind, Mapping):
        raise TypeError(
            f"options must be a dict of other parameters, not {given(kind)}: they are also given "
            f'by name, as in sessions_table="…"'
        )
    if unknown := sorted(map(str, options.keys() - by_name.keys())):
        raise TypeError(
            f"AdvancedSQLiteSession has no option {', '.join(unknown)}: it takes "
            f"{', '.join(sorted(by_name))}"
        )
    both = {**options, **{name: value for name, value in by_name.items() if value is not None}}
    chosen = {name: value for name, value in both.items() if value is not None}
    for name in chosen.keys() & {"sessions_table", "messages_table"}:
        chosen[name] = _unquoted(chosen[name])
    return chosen


def _unquoted(name: str) -> str:
    """The name of a table that may be given as a quoted SQL identifier."""
    first, inner, last = name[:1], name[1:-1], name[-1:]
    return inner.replace(last * 2, last) if inner and (first, last) in _QUOTES else name
