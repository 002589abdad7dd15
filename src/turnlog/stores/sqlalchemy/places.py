"""Places: the tables and columns of the two kinds of logs, as fragments of SQL templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from turnlog.records import Log
from turnlog.stores.sqlalchemy.payloads import to_text

__all__ = ["Kinds", "Place", "places_of"]

T = TypeVar("T")
U = TypeVar("U")


class Kinds(NamedTuple, Generic[T]):
    """One thing for the log "main", and one for all other logs."""

    main: T
    other: T

    def of(self, log: Log) -> T:
        """The one for `log`."""
        return self.main if log.name == "main" else self.other

    def map(self, make: Callable[[T], U]) -> Kinds[U]:
        """`make` of each."""
        return Kinds(make(self.main), make(self.other))


class Place(NamedTuple):
    """Where the logs of one kind are stored.

    The log "main" lies in the shared tables, where the session id alone names it. Every other
    log lies in ours, where session id and name name it.
    """

    #: The table with one row for each log.
    row: str
    #: The table with one row for each record.
    records: str
    #: The column of the records that holds the payload.
    payload: str
    #: The columns that name the log, in both tables.
    columns: str
    #: Their values.
    values: str
    #: The condition for the rows of the log.
    here: str
    #: The name of the log, as a value.
    name: str
    #: The session that the log is the log "main" of; NULL for other logs.
    main_of: str
    #: Makes a payload what its column takes.
    encode: Callable[[bytes], str | bytes]


def places_of(names: Mapping[str, str], typed: Callable[[str], str]) -> Kinds[Place]:
    """Both places.

    typed: gives an expression the type of the columns that name a log.
    """
    session, name = typed(":session"), typed(":name")
    return Kinds(
        Place(
            row=names["sessions"],
            records=names["messages"],
            payload="message_data",
            columns="session_id",
            values=session,
            here=f"session_id = {session}",
            name=typed("'main'"),
            main_of=session,
            encode=to_text,
        ),
        Place(
            row=names["heads"],
            records=names["records"],
            payload="payload",
            columns="session_id, name",
            values=f"{session}, {name}",
            here=f"session_id = {session} AND name = {name}",
            name=name,
            main_of=typed("NULL"),
            encode=bytes,
        ),
    )
