"""Places: the tables and columns of the two kinds of logs, as fragments of SQL templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from turnlog.stores.sqlalchemy.payloads import Form
from turnlog.stores.tables import filled

__all__ = ["Kinds", "Place", "Types", "parameters", "places_of"]

T = TypeVar("T")
U = TypeVar("U")


class Kinds(NamedTuple, Generic[T]):
    """One thing for the log "main", and one for all other logs."""

    main: T
    other: T

    def of(self, name: str) -> T:
        """The one for the log with this name."""
        return self.main if name == "main" else self.other

    def map(self, make: Callable[[T], U]) -> Kinds[U]:
        """`make` of each."""
        return Kinds(make(self.main), make(self.other))


class Types(NamedTuple):
    """Templates that give parameters the types of columns, where the database needs that."""

    text: str = "{}"
    whole: str = "{}"
    binary: str = "{}"
    time: str = "{}"


class Place(NamedTuple):
    """The tables in which the logs of one kind are stored.

    The log "main" lies in the shared tables, where the session id alone names it. Every other
    log lies in ours, where session id and name name it.
    """

    #: The table with one row for each record.
    records: str
    #: The column of the records that holds the payload.
    payload: str
    #: The columns that name the log.
    columns: str
    #: Their values.
    values: str
    #: The condition for the rows of the log.
    here: str
    #: The condition for the positions between two bounds.
    inside: str
    #: Makes a payload what its column takes, and the other way round.
    encode: Callable[[bytes], str | bytes]
    decode: Callable[[str | bytes], bytes]


#: Parameters of which a commit has one for each log, with their types.
_OF_A_LOG = {
    "name": "text",
    "expect": "whole",
    "after": "whole",
    "before": "whole",
    "note": "binary",
    "noted": "binary",
}
_OF_A_COMMIT = {
    "session": "text",
    "hash": "binary",
    "digest": "binary",
    "positions": "text",
    "day": "whole",
    "today": "whole",
    "last": "whole",
    "length": "whole",
    "at": "time",
    "now": "time",
}
_INSIDE = "id > {after} AND id < {before}"


def parameters(types: Types, number: int | str = "") -> dict[str, str]:
    """The parameters of statements, by their names.

    number: the end of the names of those that concern one log.
    """
    names = {name: (f":{name}{number}", kind) for name, kind in _OF_A_LOG.items()}
    names |= {name: (f":{name}", kind) for name, kind in _OF_A_COMMIT.items()}
    return {name: getattr(types, kind).format(given) for name, (given, kind) in names.items()}


def places_of(names: Mapping[str, str], given: Mapping[str, str], form: Form) -> Kinds[Place]:
    """Both places.

    names: the tables.
    given: the parameters.
    form: how the shared messages hold payloads.
    """
    inside = filled(_INSIDE, given)
    session, name = given["session"], given["name"]
    return Kinds(
        Place(
            records=names["messages"],
            payload="message_data",
            columns="session_id",
            values=session,
            here=f"session_id = {session}",
            inside=inside,
            encode=form.encode,
            decode=form.decode,
        ),
        Place(
            records=names["records"],
            payload="payload",
            columns="session_id, name",
            values=f"{session}, {name}",
            here=f"session_id = {session} AND name = {name}",
            inside=inside,
            encode=bytes,
            decode=_as_they_are,
        ),
    )


def _as_they_are(stored: str | bytes) -> bytes:
    assert isinstance(stored, bytes)  # noqa: S101 - our own column of bytes
    return stored
