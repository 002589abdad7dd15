"""What a write makes of the head of a log."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.stores.dapr.clock import now
from turnlog.stores.dapr.documents import (
    RECORDS,
    HeadDocument,
    Rows,
    Window,
    groups,
    is_small,
    packed,
    unpacked,
)
from turnlog.stores.dapr.keys import digest
from turnlog.stores.dapr.logfile import Found
from turnlog.stores.dapr.tree import Draft

__all__ = ["annotate", "append", "bury", "clear", "extended", "fresh", "remove"]


async def append(
    log: Log,
    payloads: Sequence[bytes],
    expect: int | None,
    key: str | None,
    found: Found,
    draft: Draft,
) -> tuple[int, HeadDocument | None]:
    """Put `payloads` at the end; answers with the last position."""
    head = found.head
    if key is not None and head is not None:
        earlier = _earlier(head, found, draft, key)
        if earlier is not None:
            return earlier, None
    _check_end(log, head, expect)
    if not payloads:
        return (0 if head is None else head.last), None
    head = extended(head or fresh(found, draft), payloads, draft)
    if key is not None:
        head = _remembering(head, key, draft)
    return head.last, head


async def remove(
    log: Log, window: Window, expect: int | None, found: Found, draft: Draft
) -> tuple[int, HeadDocument | None]:
    """Drop the records inside `window`; answers how many there were."""
    head = found.head
    _check_end(log, head, expect)
    if head is None:
        return 0, None
    refs = await draft.cut(head.refs, window)
    tail = head.tail.outside(window)
    if refs and not tail:
        rows = draft.take_back(refs[-1])
        if rows is not None:
            refs, tail = refs[:-1], rows
    left = replace(head, refs=tuple(refs), tail=tail, updated=_later(head))
    gone = head.length - left.length
    return gone, left if gone else None


async def annotate(note: bytes, found: Found, draft: Draft) -> tuple[None, HeadDocument]:
    """Set the note."""
    head = found.head or fresh(found, draft)
    return None, replace(head, note=note, updated=_later(head))


async def bury(found: Found, draft: Draft) -> tuple[None, HeadDocument | None]:
    """Leave nothing of the log but the position that the next one goes on from."""
    head = found.stored
    if head is None or not head.live:
        return None, None
    _drop(head, draft)
    epoch = head.epoch if found.session is None else found.session.epoch
    return None, HeadDocument(False, epoch, "", head.top, 0, 0)  # noqa: FBT003 - not live


async def clear(found: Found, draft: Draft) -> tuple[None, HeadDocument | None]:
    """The same, unless there is a log by now: of one whose session was deleted."""
    return (None, None) if found.head is not None else await bury(found, draft)


def fresh(found: Found, draft: Draft) -> HeadDocument:
    """The head of a new log.

    Its positions go on where those of the last log of this name ended. Where nothing is
    left of that, because its ttl has passed, they go on at the time, which grows faster.
    """
    moment = now()
    stored = found.stored
    if stored is not None:
        _drop(stored, draft)
    return HeadDocument(
        live=True,
        epoch=0 if found.session is None else found.session.epoch,
        life=secrets.token_hex(6),
        top=max(moment, 0 if stored is None else stored.top),
        created=moment,
        updated=moment,
    )


def extended(head: HeadDocument, payloads: Sequence[bytes], draft: Draft) -> HeadDocument:
    """`head` with `payloads` at its end; what is too much for it goes into sealed documents."""
    moment = _later(head)
    top = head.top + len(payloads)
    positions = list(range(head.top + 1, top + 1))
    new = Rows(positions, [moment] * len(payloads), list(payloads))
    *full, tail = groups(Rows.joined([head.tail, new]))
    if not is_small(tail):
        full, tail = [*full, tail], Rows.none()
    refs = draft.folded([*head.refs, *map(draft.leaf, full)]) if full else head.refs
    return replace(head, top=top, refs=tuple(refs), tail=tail, updated=moment)


def _earlier(head: HeadDocument, found: Found, draft: Draft, key: str) -> int | None:
    """The position that the write with this key returned; None if there was none."""
    position = dict(head.keys).get(digest(key))
    document = found.others.get(draft.tree.place.written(digest(key)))
    if position is None and document is not None:
        life, written = unpacked(document.data)
        position = written if life == head.life else None
    return position


def _remembering(head: HeadDocument, key: str, draft: Draft) -> HeadDocument:
    """`head`, by which the write just added is known; older ones go into documents."""
    keys = (*head.keys, (digest(key), head.last))
    if len(keys) <= RECORDS:
        return replace(head, keys=keys)
    for known, position in head.keys:
        draft.documents[draft.tree.place.written(known)] = packed([head.life, position])
    refs = draft.folded([*head.key_refs, draft.listed([known for known, _ in head.keys])])
    return replace(head, keys=keys[-1:], key_refs=tuple(refs))


def _drop(head: HeadDocument, draft: Draft) -> None:
    draft.dropped += head.refs
    draft.lists += head.key_refs
    draft.life = head.life


def _check_end(log: Log, head: HeadDocument | None, expect: int | None) -> None:
    last = 0 if head is None else head.last
    if expect is not None and expect != last:
        raise Conflict(log, expect, last)


def _later(head: HeadDocument) -> int:
    return max(now(), head.updated + 1)
