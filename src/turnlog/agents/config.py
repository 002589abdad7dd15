"""Settings of a single run."""

from __future__ import annotations

from dataclasses import dataclass

from turnlog.agents.models.model import Model
from turnlog.agents.models.settings import ModelSettings
from turnlog.conversation.settings import SettingsLike
from turnlog.conversation.turns.lease import LEASE_SECONDS, Policy, check_seconds
from turnlog.conversation.turns.policy import check_policy
from turnlog.items.merge import SessionInputCallback

__all__ = ["RunConfig"]


@dataclass(frozen=True)
class RunConfig:
    """Settings of a single run.

    session_input_callback: merges the history with the new input, sync or async; without
        one, the new input follows the history. It is asked once for each view of the history
        that was read. A retry asks it a second time only if the first attempt stored the new
        input in words of the callback's own, since only the callback knows these.
    session_settings: overrides the session's own.
    session_policy: what to do when another run is under way on the session: "queue" waits
        for its end, "reject" raises `SessionBusy`, "branch" goes on with a copy of the
        conversation, "off" takes no notice. Sessions that aren't stored by Turnlog take no
        notice either.
    lease_seconds: how long a run that died keeps others waiting, at most.
    model: a model or its name; overrides that of every agent.
    model_settings: laid over those of every agent.
    """

    session_input_callback: SessionInputCallback | None = None
    session_settings: SettingsLike = None
    session_policy: Policy = "queue"
    lease_seconds: float = LEASE_SECONDS
    model: Model | str | None = None
    model_settings: ModelSettings | None = None

    def __post_init__(self) -> None:
        check_policy(self.session_policy)
        check_seconds(self.lease_seconds)
        merge: object = self.session_input_callback
        if merge is not None and not callable(merge):
            raise TypeError(
                f"session_input_callback is called with (history, new_input); "
                f"{type(merge).__name__} is not callable"
            )
