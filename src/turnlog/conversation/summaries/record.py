"""Summary records: what stands in a summary, and its form in the log `:summaries`.

Besides summaries, the log holds marks. A writer that removes the first records of a branch and
keeps later ones, as retention does, leaves a mark that names the summary which counts at that
moment: it keeps counting, although the record that it ends with is gone.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from turnlog.items.json import Item, decode, encode
from turnlog.items.kinds import is_provider_summary
from turnlog.records import Log, Record

__all__ = ["Copy", "Mark", "Summary", "mark_payload", "parsed", "summaries_of"]


class Copy(NamedTuple):
    """The place of a copied summary in a branch whose positions were not known yet."""

    #: The index of the last record that it covers.
    at: int
    #: Of the payloads up to that record; see `turnlog.conversation.summaries.copies`.
    digest: str


class Summary(NamedTuple):
    """Items that stand for the first records of a branch, up to the position `covers`."""

    covers: int
    items: list[Item]
    #: How many records it covers, and how many turns begin in them.
    covered: int = 0
    turns: int = 0
    #: The model that wrote it, "" if none is known, and what that has cost.
    model: str = ""
    usage: Item | None = None
    #: When it was made, in seconds since the epoch.
    at: float = 0.0
    kind: str = "summary"
    #: Where its record stands in the log of summaries; 0 before it is stored.
    position: int = 0
    #: It counts whether the record at `covers` is there or not, because retention removed that.
    is_kept: bool = False
    #: In a fork, until `covers` is known.
    copy: Copy | None = None

    @property
    def is_sealed(self) -> bool:
        """Whether a provider has sealed it, so that no other can read it."""
        return any(map(is_provider_summary, self.items))

    def payload(self) -> bytes:
        """The record as it is stored."""
        fields: Item = {
            "covers": self.covers,
            "items": self.items,
            "covered": self.covered,
            "turns": self.turns,
            "model": self.model,
            "usage": self.usage,
            "at": self.at or time.time(),
            "kind": self.kind,
        }
        if self.is_kept:
            fields["kept"] = True
        if self.copy is not None:
            fields["record"], fields["digest"] = self.copy
        return encode(fields)


class Mark(NamedTuple):
    """The mark of a removal: the summary at this position of the log keeps counting."""

    names: int


def summaries_of(log: Log) -> Log:
    """The log of summaries beside the branch `log`."""
    return log.beside("summaries")


def mark_payload(names: int) -> bytes:
    """A mark as it is stored."""
    return encode({"keeps": names, "at": time.time()})


def parsed(record: Record) -> Summary | Mark:
    """What a record of the log of summaries holds. Raises an error if that can't be read."""
    fields = decode(record.payload)
    if "keeps" in fields:
        return Mark(int(fields["keeps"]))
    items = fields["items"]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("the items of a summary are not a list of items")
    usage = fields.get("usage")
    return Summary(
        covers=int(fields["covers"]),
        items=items,
        covered=int(fields.get("covered") or 0),
        turns=int(fields.get("turns") or 0),
        model=str(fields.get("model") or ""),
        usage=usage if isinstance(usage, dict) else None,
        at=float(fields.get("at") or record.created_at),
        kind=str(fields.get("kind") or "summary"),
        position=record.position,
        is_kept=bool(fields.get("kept")),
        copy=Copy(int(fields["record"]), str(fields["digest"])) if "record" in fields else None,
    )
