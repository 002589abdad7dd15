"""Settings of a single run."""

from __future__ import annotations

from dataclasses import dataclass

from turnlog.agents.model import Model
from turnlog.merge import SessionInputCallback
from turnlog.settings import SettingsLike

__all__ = ["RunConfig"]


@dataclass(frozen=True)
class RunConfig:
    """Settings of a single run.

    session_input_callback: merges the history with the new input, sync or async; without
        one, the new input follows the history.
    session_settings: overrides the session's own.
    model: overrides the agent's.
    """

    session_input_callback: SessionInputCallback | None = None
    session_settings: SettingsLike = None
    model: Model | None = None

    def __post_init__(self) -> None:
        merge: object = self.session_input_callback
        if merge is not None and not callable(merge):
            raise TypeError(
                f"session_input_callback is called with (history, new_input); "
                f"{type(merge).__name__} is not callable"
            )
