"""Modes of a request: the chain of responses that OpenAI has stored, or the items themselves."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

__all__ = ["Chain", "Mode", "Resolved", "check_mode", "is_openai_model", "model_for"]

Mode: TypeAlias = Literal["previous_response_id", "input", "auto"]
Resolved: TypeAlias = Literal["previous_response_id", "input"]

_MODES = ("previous_response_id", "input", "auto")


class Chain:
    """The responses of the model, as far as a compaction has to know of them.

    latest: the id of the newest one; None if there is none.
    deferred: of one that could not be compacted yet, because outputs of tools were to follow.
    """

    def __init__(self) -> None:
        self.latest: str | None = None
        self.deferred: str | None = None
        self._unstored: str | None = None  # known not to be stored by OpenAI
        self._end: int | None = None  # where the log ended behind the newest response, if known
        self._has_more = False  # items were added since

    def note(self, response_id: str | None, store: bool | None, end: int | None = None) -> None:
        """A compaction was asked for behind a response, which was stored by OpenAI or not.

        end: where the log ends, if that is known.
        """
        if response_id:
            self._end, self._has_more = end, False
        elif end != self._end:
            self._has_more = True
        self.latest = response_id or self.latest
        if store is False and self.latest:
            self._unstored = self.latest
        elif store is True and self.latest == self._unstored:
            self._unstored = None

    def mode(self, asked: Mode, response_id: str | None, store: bool | None) -> Resolved:
        """The mode of a request behind this response."""
        if asked != "auto":
            return asked
        is_behind = self._has_more and response_id == self.latest
        if is_behind or self.is_unstored(response_id, store):
            return "input"
        return "previous_response_id"

    def is_unstored(self, response_id: str | None, store: bool | None) -> bool:
        """Whether OpenAI doesn't know the response, as far as was told."""
        if store is None:
            return not response_id or response_id == self._unstored
        return store is False or not response_id

    def added(self) -> None:
        """Items were added that no response stands for yet."""
        self._has_more = True

    def forget(self) -> None:
        """Items were removed: no response stands for what is left."""
        self.latest = self.deferred = self._unstored = None


def check_mode(mode: Any) -> Mode:
    """Raise `ValueError` unless `mode` is one."""
    if mode not in _MODES:
        raise ValueError(f"compaction_mode must be one of {', '.join(_MODES)}; it is {mode!r}")
    found: Mode = mode
    return found


def is_openai_model(name: object) -> bool:
    """Whether `name` is one of OpenAI's models: gpt-…, o1…, or one fine-tuned from these."""
    if not isinstance(name, str):
        return False
    last = name.strip().rsplit("/", 1)[-1].removeprefix("ft:").partition(":")[0]
    return last.startswith("gpt-") or (last.startswith("o") and last[1:2].isdigit())


def model_for(given: str | None, run: object) -> str:
    """The model that compacts: the one that was `given`, or that of the run with context `run`.

    Raises `ValueError` if neither is known.
    """
    model = given or getattr(run, "_session_compaction_model", None)
    if not isinstance(model, str) or not is_openai_model(model):
        raise ValueError(
            "the model that is to compact is not known, or not one of OpenAI's: give it to "
            "OpenAIResponsesCompactionSession(…, model=…), such as the one of your agent"
        )
    return model
