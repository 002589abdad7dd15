"""Compaction: what the SDK's compaction session asks of an encrypted one, around it or inside.

The model, the compaction request and its trigger see plain items; the store holds envelopes only.
Items that can't be opened are never replaced, and a wrong key raises before anything changes.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from turnlog.conversation.replacing import Snapshot
from turnlog.items.json import Item, TResponseInputItem
from turnlog.layers.encryption.sdk_format import UnreadableEnvelope
from turnlog.sessions.encryption.calling import called, takes
from turnlog.sessions.encryption.opening import Found, Opener

__all__ = ["COMPACTION", "Compactable"]

#: The methods by which the SDK's Runner asks a session for its compaction.
COMPACTION = ("run_compaction", "_defer_compaction")


class Compactable(ABC):
    """The hooks of compaction, over an `EncryptedSession`."""

    session_id: str
    underlying_session: Any
    ttl: float | None
    _opener: Opener
    #: How many stored items the last read left out, which a compaction reads too.
    _left_out = 0

    @abstractmethod
    async def get_items(self, limit: int | None = None, *, wrapper: Any = None) -> list[Item]:
        """The newest `limit` items."""

    @abstractmethod
    async def _read(self, limit: int | None, wrapper: object = None) -> list[Item]:
        """The newest `limit` items of the wrapped session, as stored."""

    @abstractmethod
    def _sealed(self, items: Sequence[object]) -> list[Item]:
        """The envelopes of `items`."""

    def _compaction(self, name: str) -> Callable[..., Any]:
        """The method `name`, one of `COMPACTION`, if the wrapped session has it for plain items.

        Raises `AttributeError` otherwise: forwarded, it would send envelopes to the model.
        """
        if not _takes_plain_items(self.underlying_session):
            raise AttributeError(f"the session in this {type(self).__name__} has no {name}")
        return self._run_compaction if name == COMPACTION[0] else self._defer_encrypted

    async def _run_compaction(self, args: Any = None, *, wrapper: Any = None) -> None:
        if not getattr(wrapper, "_session_compaction_is_automatic", False):
            await self._refuse_unreadable()  # by hand, it replaces everything
        await self.underlying_session._run_compaction(  # noqa: SLF001 - for wrappers
            args,
            wrapper=wrapper,
            read_items=lambda limit: self._read_compaction_items(limit, wrapper=wrapper),
            prepare_items=self._sealed,
            read_snapshot=self._get_compaction_snapshot,
        )

    async def _defer_encrypted(
        self, response_id: str, store: bool | None = None, *, wrapper: Any = None
    ) -> None:
        await self.underlying_session._defer_compaction(  # noqa: SLF001 - for wrappers
            response_id,
            store,
            read_items=lambda limit: self._read_compaction_items(limit, wrapper=wrapper),
        )

    async def _read_compaction_items(
        self, limit: int | None, *, wrapper: Any = None
    ) -> tuple[list[TResponseInputItem], bool]:
        """The items that a compaction sees, and whether these are all that are stored.

        limit: None gives those that a read without a limit gives.
        """
        if limit is None:
            before = self._left_out
            items = await self.get_items(wrapper=wrapper)
            self._left_out = max(before, self._left_out)
            return items, False
        wanted, self._left_out = limit + self._left_out, 0
        stored = await self._read(wanted, wrapper)
        if len(stored) >= wanted:
            return [], False
        found = self._opener.checked(self._opener.open_all(stored, self.ttl))
        return found.items, not found.problem

    async def _get_compaction_snapshot(
        self, limit: int, *, prune_prefix: Callable[[TResponseInputItem], bool] | None = None
    ) -> Snapshot | None:
        """The newest items, behind all that can't be opened; see `Replaceable`.

        None if the wrapped session can't replace its last items in one step.
        """
        inner = self.underlying_session
        if _takes_plain_items(inner):
            inner = inner.underlying_session
        reader = getattr(type(inner), "_get_compaction_snapshot", None)
        if reader is None or not takes(reader, "prune_prefix"):
            return None
        raw = await reader(inner, limit, prune_prefix=self._expired_or(prune_prefix))
        return None if raw is None else await self._opened_snapshot(raw)

    async def _opened_snapshot(self, raw: Any) -> Snapshot:
        found = self._opener.open_all(raw.items, self.ttl)
        if found.problem and not any(each.is_authentic for each in found.opened):
            await self._check_key()
        self._opener.reported(found)
        first = _behind_unreadable(found)
        places = [at for at in range(first, len(found.stored)) if found.decoded[at] is not None]

        async def replace_suffix(start: int, output: list[TResponseInputItem]) -> bool:
            at = places[start] if start else first
            return bool(await raw.replace_suffix(at, self._sealed(output)))

        items = [item for item in found.decoded[first:] if item is not None]
        return Snapshot(items, raw.complete and not first, replace_suffix)

    async def _atomic_replace_items(self, items: list[TResponseInputItem]) -> bool:
        """Replace everything that is stored by `items`, if the wrapped session can in one step."""
        await self._refuse_unreadable()
        replace = getattr(type(self.underlying_session), "_atomic_replace_items", None)
        if replace is None:
            return False
        return bool(await called(replace, self.underlying_session, self._sealed(items)))

    async def _check_key(self) -> Found:
        """All that is stored. Raises `WrongEnvelopeKey` if the key opens none of it."""
        return self._opener.checked(self._opener.open_all(await self._read(sys.maxsize), self.ttl))

    async def _refuse_unreadable(self) -> None:
        found = await self._check_key()
        if found.problem:
            raise UnreadableEnvelope(
                self.session_id,
                f"it can't be compacted by hand, which would delete an item: {found.problem}; "
                f"nothing was changed",
            )

    def _expired_or(
        self, prune_prefix: Callable[[TResponseInputItem], bool] | None
    ) -> Callable[[Item], bool]:
        """Says of a stored item whether it has expired, or `prune_prefix` says so of its item."""
        ttl = self.ttl

        def is_over(stored: Item) -> bool:
            found = self._opener.open_all([stored], ttl)
            item = found.decoded[0]
            return bool(found.expired or (prune_prefix and item is not None and prune_prefix(item)))

        return is_over


def _takes_plain_items(session: Any) -> bool:
    """Whether `session` compacts, and can be given plain items by the session around it."""
    run = getattr(type(session), "_run_compaction", None)
    return run is not None and takes(run, "read_items", "prepare_items", "read_snapshot")


def _behind_unreadable(found: Found) -> int:
    """The index behind the last item that can't be opened."""
    unreadable = [at for at, each in enumerate(found.opened) if each.problem]
    return unreadable[-1] + 1 if unreadable else 0
