"""Places: where the logs lie, and the bounds of positions there."""

from __future__ import annotations

from dataclasses import dataclass

from turnlog.stores.sqlalchemy.payloads import from_text, to_text

__all__ = ["END", "Place", "span"]

#: The greatest position that a column can hold.
END = 2**63 - 1


def span(after: int, before: int | None) -> dict[str, int]:
    """Both bounds, where a column can hold them; positions begin at 1."""
    return {
        "after": min(max(after, 0), END),
        "before": END if before is None else min(max(before, 0), END),
    }


@dataclass(frozen=True)
class Place:
    """Where logs of one kind lie: a row that stands for the log, and its records.

    The log "main" lies in the shared tables, where the session id alone names it.
    """

    row: str
    records: str
    payload: str
    names: tuple[str, ...]

    @property
    def columns(self) -> str:
        """The columns that name the log, in both tables."""
        return ", ".join(self.names)

    @property
    def is_main(self) -> bool:
        """Whether it is that of the log "main"."""
        return len(self.names) == 1

    def stored(self, payload: bytes) -> str | bytes:
        """`payload` as its column takes it."""
        return to_text(payload) if self.is_main else payload

    def loaded(self, value: str | bytes) -> bytes:
        """The payload that a column holds."""
        return from_text(value)
