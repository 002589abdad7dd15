"""About a conversation: title, tags, owner, archived and hold, kept in the note of "main".

The note is a small JSON object. Other keys in it, such as a summary line, stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from turnlog.conversation.handle import Handle
from turnlog.conversation.opened import check_opened_note, problem_of
from turnlog.errors import Conflict
from turnlog.items.json import Item, decode, encode
from turnlog.records import Log
from turnlog.store import Head, Store

__all__ = ["About", "Changes", "Described", "described", "kept_note"]

#: What stays when the conversation is cleared: it is about the conversation, not its contents.
_OUTLIVES = ("tags", "owner", "hold")


@dataclass(frozen=True)
class About:
    """Facts about a conversation, beside its items.

    tags: in the order in which they were given.
    archived: put away by its owner; `hold`: not to be deleted. Nothing else depends on them here.
    """

    title: str | None = None
    tags: tuple[str, ...] = ()
    owner: str | None = None
    archived: bool = False
    hold: bool = False

    @classmethod
    def of(cls, note: bytes) -> About:
        """The facts in a note. Values of a wrong type are left out; all, if it is unreadable."""
        found = _fields(note) or {}
        return cls(**{name: value for name, value in _read(found) if value is not None})


class Changes(TypedDict, total=False):
    """The arguments of `describe`, for type checkers and editors."""

    title: str | None
    tags: Iterable[str]
    owner: str | None
    archived: bool
    hold: bool


class Described(Handle):
    """The methods of a session that tell and change the facts about its conversation."""

    async def about(self) -> About:
        """Title, tags, owner, and whether it is archived or on hold.

        Raises `Unreadable` if the note that holds them is encrypted and can't be opened.
        """
        return About.of(await _note(self.store, self._log().session))

    async def describe(self, **changes: Unpack[Changes]) -> About:
        """Change some of it, and leave the rest as it is; returns what is known then.

            await session.describe(title="Trip to Oslo", tags=["travel"])

        title, owner: a text, or None for none.
        tags: texts; all tags, in place of those before.
        archived, hold: True or False.

        It concerns the whole conversation, whichever branch this session stands on. Changes that
        others make at the same time are kept. Raises `TypeError` for an unknown name and for a
        value of another type, `ValueError` if the note holds something else than these,
        `Unreadable` if it is encrypted and can't be opened.
        """
        session = self._log().session
        while True:
            note = await _note(self.store, session)
            new = described(session, note, changes)
            try:
                if new != note:
                    await self.store.annotate(Log(session), new, expect=note)
            except Conflict:
                continue  # somebody else has changed it: read again
            return About.of(new)


def described(session: str, note: bytes, changes: Mapping[str, object]) -> bytes:
    """`note`, with the `changes` that `describe` takes. It raises what `describe` raises."""
    given = {name: _checked(name, value) for name, value in changes.items()}
    return _with(session, note, given)


def kept_note(note: bytes) -> bytes:
    """The part of the note of "main" that stays when the conversation is cleared.

    A note that can't be opened stays as it is: it may hold an owner or a hold.
    """
    if problem_of(note) is not None:
        return note
    fields = _fields(note) or {}
    return _written({name: fields[name] for name in _OUTLIVES if name in fields})


async def _note(store: Store, session: str) -> bytes:
    heads: list[Head] = await store.logs(session)
    note = next((head.note for head in heads if head.log.name == "main"), b"")
    check_opened_note(Log(session), note)
    return note


def _fields(note: bytes) -> Item | None:
    """The JSON object in a note; None if there is no such thing in it."""
    try:
        return decode(note) if note else {}
    except ValueError:
        return None


def _with(session: str, note: bytes, changes: Mapping[str, object]) -> bytes:
    fields = _fields(note)
    if fields is None:
        raise ValueError(
            f"the note of session {session!r} is not a JSON object, so it can't be changed without "
            f"losing it: replace it with `store.annotate` first"
        )
    return _written({**fields, **changes})


def _written(fields: Mapping[str, object]) -> bytes:
    """The note of `fields`, without those that are None, False or empty."""
    telling = {
        name: value
        for name, value in fields.items()
        if name not in _KINDS or value not in (None, False, [])
    }
    return encode(telling) if telling else b""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str] | None:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return None
    texts = list(value)
    return texts if all(isinstance(each, str) for each in texts) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


#: How a value of each name is read, and what it has to be.
_KINDS = {
    "title": (_text, "a str or None"),
    "tags": (_texts, "a list of str"),
    "owner": (_text, "a str or None"),
    "archived": (_flag, "True or False"),
    "hold": (_flag, "True or False"),
}


def _read(fields: Item) -> Iterable[tuple[str, Any]]:
    for name, (read, _) in _KINDS.items():
        value = read(fields.get(name))
        yield name, tuple(value) if isinstance(value, list) else value


def _checked(name: str, value: object) -> object:
    if name not in _KINDS:
        raise TypeError(f"describe() takes {', '.join(_KINDS)}, and not {name!r}")
    read, kind = _KINDS[name]
    checked = read(value)
    if checked is None and not (value is None and read is _text):
        raise TypeError(f"{name} must be {kind}, not {type(value).__name__}")
    return checked
