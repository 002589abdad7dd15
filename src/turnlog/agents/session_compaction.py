"""Compaction that a session does itself behind a run, found by the names of the SDK's hooks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Any

from turnlog.agents.config import RunConfig
from turnlog.agents.model_names import name_of, resolve_model
from turnlog.agents.models.model import Model, ModelRequest, ModelResponse
from turnlog.conversation.reading.changing import CompactionItems
from turnlog.conversation.session import Session
from turnlog.conversation.settings import SessionSettings
from turnlog.conversation.usage.reported import counts_in, with_a_request
from turnlog.conversation.usage.usage import Usage
from turnlog.sessions.compaction.digests import digest_of
from turnlog.sessions.compaction.modes import model_for
from turnlog.sessions.compaction.summarising import appends_to
from turnlog.sessions.encryption.calling import called
from turnlog.sessions.openai_compaction import OpenAIResponsesCompactionSession

__all__ = ["SessionCompaction"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Exchange:
    """The last request of a run, and the response as it was stored."""

    request: ModelRequest
    response: ModelResponse
    model: str


@dataclass
class _Spent:
    """The usage of compactions; the SDK's class calls `add` with a usage object of its own."""

    usage: Usage = field(default_factory=Usage)

    def add(self, reported: object) -> None:
        self.usage += with_a_request(counts_in(reported))


class _Context:
    """What the hooks get of a run: the names are the SDK's."""

    def __init__(self, exchanged: _Exchange, digests: tuple[str, ...], *, is_limited: bool) -> None:
        self.usage = _Spent()
        self._session_compaction_is_automatic = True
        self._session_compaction_model_exchange = (digests, None)
        self._session_compaction_completed = False
        # Ours alone:
        self._session_compaction_model = exchanged.model
        self._session_compaction_is_whole = is_limited


class SessionCompaction:
    """The compaction of `session`, if that has the hook `run_compaction`; else nothing is done.

    run: is what runs use as their session: of a compaction session around one of ours, that one,
        so that they have its lease, and its usage is recorded.
    """

    def __init__(self, session: Session | None, config: RunConfig) -> None:
        self.run = session
        self._session = session
        self._hook: Callable[..., Any] | None = getattr(session, "run_compaction", None)
        self._exchange: _Exchange | None = None
        stored = appends_to(getattr(session, "underlying_session", None))
        if type(session) is OpenAIResponsesCompactionSession and stored is not None:
            self.run = stored
        own = SessionSettings.of(getattr(session, "session_settings", None))
        self._is_limited = own.resolve(config.session_settings).limit is not None

    @property
    def model(self) -> str:
        """The name of the model that was asked last."""
        return "" if self._exchange is None else self._exchange.model

    def check(self, model: Model | str | None) -> None:
        """Raise `ValueError` if it needs a model and that of the run, `model`, can't compact."""
        session = self._session
        if isinstance(session, OpenAIResponsesCompactionSession) and session.model is None:
            model_for(name_of(resolve_model(model)), None)

    def items_for(self, model: Model | str | None) -> CompactionItems | None:
        """What views do with compaction items for `model`; None: as without such a session.

        What the session has made is shown as it is, the user's messages in front of the item too.
        Only models behind the Responses API can be sent that.
        """
        try:
            is_responses = hasattr(resolve_model(model), "reads_compaction")
        except Exception:  # noqa: BLE001 - it is raised when the model is asked
            return None
        return "keep" if callable(self._hook) and is_responses else None

    def note(
        self, request: ModelRequest, response: ModelResponse, model: Model | str | None
    ) -> None:
        """The run has asked `model`, and stored this response."""
        if callable(self._hook):
            asked = replace(request, items=[*request.items])
            self._exchange = _Exchange(asked, response, name_of(resolve_model(model)))

    async def compact(self, used: Session | None) -> Usage:
        """Compact behind a run that has ended; what that has cost.

        used: the session that the run has used; nothing is done if that is another branch.

        A failure is logged, and the run goes on.
        """
        is_elsewhere = getattr(used, "branch", None) != getattr(self.run, "branch", None)
        if self._hook is None or self._exchange is None or is_elsewhere:
            return Usage()
        context = self._context(self._exchange)
        try:
            await self._compacted(self._hook, self._exchange, context)
        except Exception as error:  # noqa: BLE001 - the run has its answer
            _logger.warning(  # not its text, in which a provider may quote what was sent
                "session %r is not compacted: %s; run_compaction() by hand tells more",
                getattr(self._session, "session_id", None),
                type(error).__name__,
            )
        return context.usage.usage

    async def _compacted(
        self, hook: Callable[..., Any], exchanged: _Exchange, context: _Context
    ) -> None:
        args: dict[str, Any] = {"store": bool(exchanged.request.settings.store)}
        if exchanged.response.response_id is not None:
            args["response_id"] = exchanged.response.response_id
        args["force"] = await self._is_deferred()
        await called(hook, args, wrapper=context)

    async def _is_deferred(self) -> bool:
        get = getattr(self._session, "_get_deferred_compaction_response_id", None)
        found = get() if callable(get) else None
        return (await found if isawaitable(found) else found) is not None

    def _context(self, exchanged: _Exchange) -> _Context:
        ignore = bool(getattr(self._session, "_ignore_ids_for_matching", False))
        items = [*exchanged.request.items, *exchanged.response.output]
        digests = (digest_of(item, ignore_ids=ignore) for item in items)
        known = tuple(digest for digest in digests if digest is not None)
        return _Context(exchanged, known, is_limited=self._is_limited)
