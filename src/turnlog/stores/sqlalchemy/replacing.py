"""Replacing: the payloads of records are looked up and changed by their positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Connection, bindparam, text

from turnlog.changes import Replace
from turnlog.store import END
from turnlog.stores.sqlalchemy.places import Kinds, Place
from turnlog.stores.tables import filled

__all__ = ["Replacing"]

_STORED = "SELECT id, {payload} FROM {records} WHERE {here} AND id IN :positions"
# On MySQL, a column may change "on update" unless it is set to what it is.
_REPLACE = """
    UPDATE {records} SET {payload} = :payload, created_at = created_at
    WHERE {here} AND id = :position
"""
#: How many positions one query names: some databases take no more than 999 parameters.
_AT_ONCE = 900


class Replacing:
    """The statements of a `Replace`. Its session's row is locked.

    shared: the fragments of all templates.
    """

    def __init__(self, places: Kinds[Place], shared: Mapping[str, str]) -> None:
        positions = bindparam("positions", expanding=True, type_=BigInteger())
        position = bindparam("position", type_=BigInteger())
        self._places = places
        self._stored = places.map(
            lambda place: text(filled(_STORED, shared, place._asdict())).bindparams(positions)
        )
        self._replace = places.map(
            lambda place: text(filled(_REPLACE, shared, place._asdict())).bindparams(position)
        )

    def stored(self, db: Connection, session: str, change: Replace) -> list[bytes | None]:
        """The payloads of the records that are to be replaced; None where no record is."""
        statement, log = self._stored.of(change.log), {"session": session, "name": change.log}
        decode = self._places.of(change.log).decode
        possible = [at for at in change.positions if 0 < at <= END]
        found = {
            row[0]: decode(row[1])
            for some in _pieces(possible)
            for row in db.execute(statement, {**log, "positions": some})
        }
        return [found.get(at) for at in change.positions]

    def replace(self, db: Connection, session: str, change: Replace) -> None:
        """Replace the payloads of records that are all there."""
        encode, log = self._places.of(change.log).encode, {"session": session, "name": change.log}
        pairs = zip(change.positions, change.payloads, strict=True)
        rows = [{**log, "position": at, "payload": encode(payload)} for at, payload in pairs]
        if rows:
            db.execute(self._replace.of(change.log), rows)


def _pieces(positions: Sequence[int]) -> list[Sequence[int]]:
    return [positions[start : start + _AT_ONCE] for start in range(0, len(positions), _AT_ONCE)]
