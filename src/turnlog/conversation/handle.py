"""Handles: the part of a session that says on which log it stands and how that is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from turnlog.conversation.closing import OpensNothing
from turnlog.conversation.protocol import SessionABC, check_store
from turnlog.conversation.reading.compacted import CompactedTail
from turnlog.conversation.reading.known_records import KnownRecords
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.tail import HasTail
from turnlog.conversation.settings import AnySettings, SessionSettings, SettingsLike
from turnlog.conversation.summaries.reading import KnownSummaries
from turnlog.conversation.turns.duration import check_lease_seconds
from turnlog.errors import StoreClosed
from turnlog.items.given import check_session_id
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Handle", "faithful"]

F = TypeVar("F", bound=Callable[..., object])

_faithful: set[object] = set()


def faithful(method: F) -> F:
    """Marks a method that stores, shows or clears exactly what the log holds.

    An unmarked override in a subclass may do something else, so nothing goes past it.
    """
    _faithful.add(method)
    return method


class Handle(OpensNothing, SessionABC, HasTail):
    """The id, store, branch and settings of a session; the parts of `StoredSession` build on it."""

    def __init__(
        self,
        session_id: str,
        store: Store,
        *,
        branch: str = "main",
        session_settings: SettingsLike = None,
        lease_seconds: float | None = None,
    ) -> None:
        check_session_id(session_id, type(self).__name__)
        check_store(store)
        check_lease_seconds(lease_seconds)
        self.session_id = session_id
        self.store = store
        self.branch = branch
        self.session_settings = session_settings
        #: For how many seconds the leases of its runs last, unless a run says otherwise; None for
        #: the default.
        self.lease_seconds = lease_seconds
        self.closed = False
        self._last_reader: LogReader | None = None
        self._known_records: KnownRecords | None = None
        self._known_summaries: KnownSummaries | None = None

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({self.session_id!r}, branch={self.branch!r}, store={self.store!r})"

    @property
    def unreadable(self) -> set[int]:
        """Positions of records that reads left out because they can't be decoded."""
        return self._reader_of(Log(self.session_id, self.branch)).unreadable

    def _get_settings(self) -> SessionSettings:
        return self._settings

    def _set_settings(self, value: SettingsLike) -> None:
        self._settings = SessionSettings.of(value)

    # Declared as an attribute: for pyright, a property is none, and the session then fits no
    # protocol that has one.
    session_settings: AnySettings = property(_get_settings, _set_settings)
    """How much is read when the caller doesn't say: a `SessionSettings`, never None."""

    def _log(self) -> Log:
        if self.closed:
            raise StoreClosed(type(self).__name__)
        return Log(self.session_id, self.branch)

    def _reader_of(self, log: Log) -> LogReader:
        reader = self._last_reader
        if reader is None or reader.log != log or reader.store is not self.store:
            reader = self._last_reader = LogReader(self.store, log)
        return reader

    def _compacted_tail(self, log: Log) -> CompactedTail:
        """The tail of `log` behind what a summary stands for."""
        known = self._known_summaries
        if known is None or known.log != log:
            known = self._known_summaries = KnownSummaries(log)
        return CompactedTail(self._reader_of(log), known)

    def add_items_is_overridden(self) -> bool:
        """Whether a subclass or this instance has its own `add_items`."""
        return self._is_overridden("add_items")

    def _is_overridden(self, name: str) -> bool:
        """Whether a subclass or this instance has its own method `name`; see `faithful`."""
        return name in vars(self) or getattr(type(self), name) not in _faithful
