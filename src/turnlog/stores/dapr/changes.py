"""Changes of a log: each computes the answer and the next head from the log as found."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.stores.clock import now
from turnlog.stores.dapr.documents import (
    RECORDS,
    HeadDocument,
    Rows,
    Span,
    groups,
    is_small,
    packed,
    unpacked,
)
from turnlog.stores.dapr.keys import digest
from turnlog.stores.dapr.logfile import Found
from turnlog.stores.dapr.tree import Rewrite

__all__ = ["annotate", "append", "bury", "clear", "extended", "fresh", "remove"]


async def append(
    log: Log,
    payloads: Sequence[bytes],
    expect: int | None,
    key: str | None,
    found: Found,
    rewrite: Rewrite,
) -> tuple[int, HeadDocument | None]:
    """Append `payloads`; the answer is the last position."""
    head = found.head
    if key is not None and head is not None:
        earlier = _earlier(head, found, rewrite, key)
        if earlier is not None:
            return earlier, None
    _check_end(log, head, expect)
    if not payloads:
        return (0 if head is None else head.last), None
    head = extended(head or fresh(found, rewrite), payloads, rewrite)
    if key is not None:
        head = _remembering(head, key, rewrite)
    return head.last, head


async def remove(
    log: Log, span: Span, expect: int | None, found: Found, rewrite: Rewrite
) -> tuple[int, HeadDocument | None]:
    """Remove the records inside `span`; the answer is their number."""
    head = found.head
    _check_end(log, head, expect)
    if head is None:
        return 0, None
    refs = await rewrite.cut(head.refs, span)
    tail = head.tail.outside(span)
    if refs and not tail:
        rows = rewrite.take_back(refs[-1])
        if rows is not None:
            refs, tail = refs[:-1], rows
    left = replace(head, refs=tuple(refs), tail=tail, updated=_later(head))
    gone = head.length - left.length
    return gone, left if gone else None


async def annotate(note: bytes, found: Found, rewrite: Rewrite) -> tuple[None, HeadDocument]:
    """Set the note."""
    head = found.head or fresh(found, rewrite)
    return None, replace(head, note=note, updated=_later(head))


async def bury(found: Found, rewrite: Rewrite) -> tuple[None, HeadDocument | None]:
    """Delete the log. Only its greatest position stays, from which the next log continues."""
    head = found.stored
    if head is None or not head.live:
        return None, None
    _drop(head, rewrite)
    epoch = head.epoch if found.session is None else found.session.epoch
    return None, HeadDocument(False, epoch, "", head.top, 0, 0)  # noqa: FBT003 - not live


async def clear(found: Found, rewrite: Rewrite) -> tuple[None, HeadDocument | None]:
    """Delete what is left of a log whose session was deleted, unless it exists again."""
    return (None, None) if found.head is not None else await bury(found, rewrite)


def fresh(found: Found, rewrite: Rewrite) -> HeadDocument:
    """The head of a new log.

    Its positions continue those of the last log of this name. Where that has expired, they
    begin at the time in microseconds, which is greater than any position used before.
    """
    moment = now()
    stored = found.stored
    if stored is not None:
        _drop(stored, rewrite)
    return HeadDocument(
        live=True,
        epoch=0 if found.session is None else found.session.epoch,
        life=secrets.token_hex(6),
        top=max(moment, 0 if stored is None else stored.top),
        created=moment,
        updated=moment,
    )


def extended(head: HeadDocument, payloads: Sequence[bytes], rewrite: Rewrite) -> HeadDocument:
    """`head` with `payloads` appended; what doesn't fit into it goes into sealed documents."""
    moment = _later(head)
    top = head.top + len(payloads)
    positions = list(range(head.top + 1, top + 1))
    new = Rows(positions, [moment] * len(payloads), list(payloads))
    *full, tail = groups(Rows.joined([head.tail, new]))
    if not is_small(tail):
        full, tail = [*full, tail], Rows.none()
    refs = rewrite.folded([*head.refs, *map(rewrite.leaf, full)]) if full else head.refs
    return replace(head, top=top, refs=tuple(refs), tail=tail, updated=moment)


def _earlier(head: HeadDocument, found: Found, rewrite: Rewrite, key: str) -> int | None:
    """The position that an earlier write with this key returned; None if there was none."""
    position = dict(head.keys).get(digest(key))
    document = found.others.get(rewrite.tree.paths.written(digest(key)))
    if position is None and document is not None:
        life, written = unpacked(document.data)
        position = written if life == head.life else None
    return position


def _remembering(head: HeadDocument, key: str, rewrite: Rewrite) -> HeadDocument:
    """`head`, with `key` for the write just added; older keys go into documents."""
    keys = (*head.keys, (digest(key), head.last))
    if len(keys) <= RECORDS:
        return replace(head, keys=keys)
    for known, position in head.keys:
        rewrite.documents[rewrite.tree.paths.written(known)] = packed([head.life, position])
    refs = rewrite.folded([*head.key_refs, rewrite.listed([known for known, _ in head.keys])])
    return replace(head, keys=keys[-1:], key_refs=tuple(refs))


def _drop(head: HeadDocument, rewrite: Rewrite) -> None:
    rewrite.dropped += head.refs
    rewrite.lists += head.key_refs
    rewrite.life = head.life


def _check_end(log: Log, head: HeadDocument | None, expect: int | None) -> None:
    last = 0 if head is None else head.last
    if expect is not None and expect != last:
        raise Conflict(log, expect, last)


def _later(head: HeadDocument) -> int:
    return max(now(), head.updated + 1)
