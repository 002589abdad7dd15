"""Run configuration: the settings of a single run."""

from __future__ import annotations

from dataclasses import dataclass

from turnlog.agents.checking import check_model, check_model_settings
from turnlog.agents.models.model import Model
from turnlog.agents.models.settings import ModelSettings
from turnlog.agents.showing import shown_settings
from turnlog.conversation.compaction.policy import Compaction
from turnlog.conversation.settings import SessionSettings, SettingsLike
from turnlog.conversation.turns.duration import check_busy_timeout, check_lease_seconds
from turnlog.conversation.turns.policy import Policy, check_policy
from turnlog.items.given import check_key, given
from turnlog.items.merge import SessionInputCallback

__all__ = ["RunConfig"]


@dataclass(frozen=True)
class RunConfig:
    """Settings of a single run.

    session_input_callback: merges the history with the new input, sync or async; without
        one, the new input follows the history. It is called once for each view of the history
        that was read. A retry calls it a second time only if the first attempt stored items
        that the callback itself had written instead of the new input.
    session_settings: overrides the session's own.
    session_policy: what to do when another run is under way on the session: "queue" waits
        for its end, "reject" raises `SessionBusy`, "branch" continues on a copy of the
        conversation, "off" writes all the same. So do runs on sessions of other libraries.
    lease_seconds: for how long others wait for a run that died, at most; None for the default
        of the session, of its store, of TURNLOG_LEASE_SECONDS, or 10.
    busy_timeout: for how many seconds the policy "queue" waits for another run before it raises
        `SessionWaitTimeout`; None for no bound.
    key: a name for this run, such as the id of a request. However often it is started with the
        same key on the session, the input is stored once and answered once; later starts return
        the stored answer. The same key with another input raises `KeyReused`. It needs one of
        our sessions, and the policy "queue" or "reject".
    model: a model or its name; overrides that of every agent.
    model_settings: laid over those of every agent.
    compaction: when older turns of the session are summed up, behind the run and outside of its
        lease; `RunResult.compaction` tells the outcome. It needs one of our sessions.
    """

    session_input_callback: SessionInputCallback | None = None
    session_settings: SettingsLike = None
    session_policy: Policy = "queue"
    lease_seconds: float | None = None
    busy_timeout: float | None = None
    key: str | None = None
    model: Model | str | None = None
    model_settings: ModelSettings | None = None
    compaction: Compaction | None = None

    def __repr__(self) -> str:
        return shown_settings(self)

    def __post_init__(self) -> None:
        check_policy(self.session_policy)
        check_lease_seconds(self.lease_seconds)
        check_busy_timeout(self.busy_timeout)
        check_model(self.model)
        if self.model_settings is not None:
            check_model_settings(self.model_settings)
        SessionSettings.of(self.session_settings)
        if self.key is not None:
            check_key(self.key)
        compaction: object = self.compaction
        if not isinstance(compaction, Compaction | None):
            raise TypeError(
                f"compaction must be a Compaction, not {given(compaction)}: "
                f"write Compaction(summarised_by(model), max_tokens=…)"
            )
        merge: object = self.session_input_callback
        if merge is not None and not callable(merge):
            raise TypeError(
                f"session_input_callback must be a function of (history, new_input), "
                f"not {given(merge)}"
            )
