"""One compaction: whether it is time, the request, and what is done with its answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

from turnlog.convert.responses import responses_input
from turnlog.items.json import Item
from turnlog.items.kinds import is_sealed
from turnlog.sessions.compaction.automatic import Stored, exchange_of, is_automatic, replaceable
from turnlog.sessions.compaction.aware import OpenAIResponsesCompactionArgs
from turnlog.sessions.compaction.digests import sendable
from turnlog.sessions.compaction.matching import is_candidate
from turnlog.sessions.compaction.modes import Mode, Resolved, check_mode, model_for
from turnlog.sessions.compaction.output import output_of
from turnlog.sessions.compaction.state import State
from turnlog.sessions.compaction.summarising import MOST_KEPT, appends_to, end_of, read_shown
from turnlog.sessions.compaction.targets import Appending, Made, Rewriting, Suffix, Target, as_it_is
from turnlog.sessions.compaction.usage import add_usage, usage_fields
from turnlog.sessions.encryption.calling import takes

__all__ = ["Compacting", "Context", "Outside", "Owner"]

_logger = logging.getLogger(__name__)

#: What a trigger gets.
Context: TypeAlias = dict[str, Any]

#: The names of the arguments of `run_compaction`.
_ARGUMENTS = (*OpenAIResponsesCompactionArgs.__annotations__,)

#: A limit that every session takes for "all".
_ALL = 2_147_483_647


class Owner(Protocol):
    """The settings of the session that compacts."""

    session_id: str
    underlying_session: Any
    model: str | None
    compaction_mode: Mode
    max_rollback_items: int | None
    should_trigger_compaction: Callable[[Context], bool]

    @property
    def client(self) -> Any:
        """The `AsyncOpenAI` that is asked."""

    async def get_items(self, limit: int | None = None) -> list[Item]:
        """What is stored, as the session shows it."""
        ...


@dataclass(frozen=True)
class Outside:
    """A session around the one that compacts, which sees other items than are stored.

    read: reads the newest items as it sees them, and says whether these are all.
    prepare: makes of items what is to be stored.
    snapshot: reads the newest items in a form that can be replaced.
    """

    read: Callable[[int | None], Awaitable[tuple[list[Item], bool]]] | None = None
    prepare: Callable[[list[Item]], list[Item]] = field(default=as_it_is)
    snapshot: Callable[[int], Awaitable[Any]] | None = None


class _Chosen(NamedTuple):
    """What is to be compacted: the items of `target` from index `start` on, sent as `items`."""

    target: Target
    start: int
    items: list[Item]
    mode: Resolved


class Compacting:
    """A compaction of `session`, for the run with the context `run`, or by hand."""

    def __init__(self, session: Owner, state: State, run: Any, outside: Outside) -> None:
        self._session = session
        self._underlying = session.underlying_session
        self._chain = state.chain
        self._state = state
        self._run = run
        self._outside = outside

    async def run(self, args: OpenAIResponsesCompactionArgs) -> None:
        """Compact if it is time; args: as those of `run_compaction`."""
        self._check_names(args)
        store = args.get("store")
        self._chain.note(args.get("response_id"), store, await self._end())
        asked = check_mode(args.get("compaction_mode") or self._session.compaction_mode)
        mode = self._chain.mode(asked, self._chain.latest, store)
        if mode == "previous_response_id" and not self._chain.latest:
            raise ValueError(
                "run_compaction requires a response_id with the mode previous_response_id: give "
                'it the id of the newest response, or compaction_mode="input"'
            )
        if not is_automatic(self._run) and self._session.max_rollback_items is not None:
            await self._everything()
        seen = await self.seen()
        if not args.get("force") and not self.is_time(seen, mode, self._chain.latest):
            return
        choose = self._automatic if is_automatic(self._run) else self._by_hand
        chosen = await choose(seen, mode, asked)
        if chosen is not None and (chosen.items or mode == "previous_response_id"):
            await self._replace(chosen, await self._made(chosen, store))

    async def _end(self) -> int | None:
        """Where the log of a session of ours ends; None for others."""
        stored = appends_to(self._underlying)
        return None if stored is None else await end_of(stored)

    def _check_names(self, args: OpenAIResponsesCompactionArgs) -> None:
        """Raise `TypeError` for an argument that there is not; one that a Runner gives is logged.

        A later SDK may have more of them, and its runs are to go on.
        """
        unknown = [str(name) for name in args if name not in _ARGUMENTS]
        if not unknown:
            return
        wrong = f"run_compaction takes {', '.join(_ARGUMENTS)}, and not {', '.join(unknown)}"
        if not is_automatic(self._run):
            raise TypeError(wrong)
        _logger.warning("session %r: %s: left out", self._session.session_id, wrong)

    async def seen(self) -> list[Item]:
        """What is stored, as far as it is shown. Raises `ValueError` if that is encrypted."""
        read = self._reader()
        items = await self._session.get_items() if read is None else (await read(None))[0]
        return _sent(items)

    def is_time(self, items: list[Item], mode: Resolved, response_id: str | None) -> bool:
        """Whether the trigger wants `items` to be compacted."""
        context = {
            "response_id": response_id,
            "compaction_mode": mode,
            "compaction_candidate_items": [item for item in items if is_candidate(item)],
            "session_items": [*items],
        }
        return bool(self._session.should_trigger_compaction(context))

    def _reader(self) -> Callable[[int | None], Awaitable[tuple[list[Item], bool]]] | None:
        """Reads as the session around does, or an encrypted one within; None if none does."""
        inner = getattr(self._underlying, "_read_compaction_items", None)
        return self._outside.read or inner

    async def _by_hand(self, seen: list[Item], mode: Resolved, _: Mode) -> _Chosen | None:
        stored = appends_to(self._underlying)
        if stored is None:
            return await self._all_of_it(mode)
        found = await read_shown(stored)
        if found is None:
            return None
        # What is sent and what is covered have to be the same, whatever others do meanwhile.
        if self._outside.read is None:
            seen = _sent(await found.shown())
        else:
            seen = await self.seen()
            if found.is_in_use or not await found.is_current():
                self._skip("a run is under way, or it was changed meanwhile")
                return None
        whole = Stored(seen, is_complete=True, most_kept=0)
        return _Chosen(Appending(found, whole, self._outside.prepare), 0, seen, mode)

    async def _all_of_it(self, mode: Resolved) -> _Chosen:
        """All that is stored, however few items a read without a limit gives: all is replaced."""
        stored = await self._everything()
        read = self._outside.read
        items = _sent(stored if read is None else (await read(_ALL))[0])
        whole = Stored(items, is_complete=True, most_kept=0)
        return _Chosen(self._rewriting(whole, stored), 0, items, mode)

    async def _automatic(self, seen: list[Item], mode: Resolved, asked: Mode) -> _Chosen | None:
        exchange = exchange_of(self._run)
        target = await self._target(len(exchange.digests) + 1)
        if target is None:
            self._skip(f"more than {MOST_KEPT} items before it would have to be kept")
            return None
        stored = target.stored._replace(items=_sent(target.stored.items))
        ignore = bool(getattr(self._underlying, "_ignore_ids_for_matching", False))
        found = replaceable(stored, exchange, asked, ignore_ids=ignore)
        if isinstance(found, str):
            self._skip(found)
            return None
        part, is_partial = found
        chosen = _Chosen(target, part.start, part.items, "input" if is_partial else mode)
        is_approved = (part.items, chosen.mode) == (seen, mode)
        if not is_approved and not self.is_time(part.items, chosen.mode, self._chain.latest):
            return None
        if isinstance(target, Rewriting) and self._session.max_rollback_items is not None:
            await self._everything()
        return chosen

    async def _target(self, limit: int) -> Target | None:
        """The newest `limit` items, or more, in the form in which they can be replaced.

        None if too many come before them that a summary would have to hold.
        """
        stored = appends_to(self._underlying)
        if stored is not None:
            found = await read_shown(stored, MOST_KEPT + limit)
            if found is None:
                return None
            if self._outside.read is None:
                is_whole = getattr(self._run, "_session_compaction_is_whole", False)
                most = 0 if is_whole else MOST_KEPT
                return Appending(found, Stored(found.items, is_complete=True, most_kept=most))
            items, is_complete = await self._outside.read(limit)
            is_complete = is_complete and await found.is_current()
            return Appending(found, Stored(items, is_complete, 0), self._outside.prepare)
        inner = getattr(self._underlying, "_get_compaction_snapshot", None)
        read = self._outside.snapshot or inner
        snapshot = None if read is None else await read(limit)
        if snapshot is not None:
            return Suffix(snapshot)
        sealed = None if self._outside.read is None else await self._read(self._most + 1)
        items, is_complete = await self._newest(limit)
        newest = Stored(items, is_complete, most_kept=0)
        return self._rewriting(newest, items if sealed is None else sealed)

    def _rewriting(self, found: Stored, before: list[Item]) -> Rewriting:
        """Replaces `found`; before: the same as it is stored, read at the same time or earlier."""
        return Rewriting(self._underlying, found, self._outside.prepare, self._everything, before)

    async def _newest(self, limit: int) -> tuple[list[Item], bool]:
        read = self._reader()
        if read is not None:
            return await read(limit)
        items = await self._read(limit)
        return items, len(items) < limit

    async def _everything(self) -> list[Item]:
        """All that is stored. Raises `ValueError` if that is more than may be put back."""
        items = await self._read(self._most + 1)
        if len(items) > self._most:
            raise ValueError(
                f"the history exceeds max_rollback_items ({self._most}) and was left as it is: "
                f"allow more, or clear the session"
            )
        return items

    @property
    def _most(self) -> int:
        """How many items may be put back."""
        most = self._session.max_rollback_items
        return _ALL - 1 if most is None else most

    async def _read(self, limit: int) -> list[Item]:
        if appends_to(self._underlying) is not None:
            return await self._session.get_items(limit)
        if takes(self._underlying.get_items, "limit"):
            return list(await self._underlying.get_items(limit=limit))
        return list(await self._underlying.get_items())

    async def _made(self, chosen: _Chosen, store: bool | None) -> Made:
        model = model_for(self._session.model, self._run)
        if chosen.mode == "previous_response_id":
            request: dict[str, Any] = {"previous_response_id": self._chain.latest}
        else:
            request = {"input": self._input(chosen.items, store)}
        answer = await self._session.client.responses.compact(model=model, **request)
        usage = getattr(answer, "usage", None)
        add_usage(self._run, usage)
        return Made(output_of(answer), model, usage_fields(usage))

    def _input(self, items: list[Item], store: bool | None) -> list[Item]:
        """`items` as they are sent: without ids, if OpenAI has not stored what these name."""
        latest = self._chain.latest
        is_unstored = latest is not None and self._chain.is_unstored(latest, store)
        return responses_input(items) if is_unstored else items

    async def _replace(self, chosen: _Chosen, made: Made) -> None:
        try:
            is_done = await chosen.target.replace(
                chosen.start, made, lambda: self._state.replaced(self._run)
            )
        finally:  # it may have happened although it failed
            self._state.generation += 1
        if not is_done:
            self._skip("it was changed during the request")

    def _skip(self, reason: str) -> None:
        _logger.warning("session %r is not compacted: %s", self._session.session_id, reason)


def _sent(items: list[Item]) -> list[Item]:
    """`items` as the API takes them. Raises `ValueError` if they are encrypted."""
    if any(map(is_sealed, items)):
        raise ValueError(
            "the items of the wrapped session are encrypted, and OpenAI can't read them: use "
            "OpenAIResponsesCompactionSession(id, EncryptedSession(…)), or Turnlog's "
            "EncryptedSession around a compaction session"
        )
    return [sendable(item) for item in items]
