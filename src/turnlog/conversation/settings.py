"""Session settings: the bounds of what is read of a session and shown to a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TypeAlias

from turnlog.items.given import check_int_or_none, given
from turnlog.items.shortening import Shorten
from turnlog.items.tokens import TokenCounter
from turnlog.items.window import Window

__all__ = ["AnySettings", "SessionSettings", "SettingsLike"]


@dataclass(frozen=True)
class SessionSettings(dict[str, Any]):
    """Bounds of what is read and shown of a session when the caller doesn't say.

    limit: the number of newest items, at most; None, or a negative number, means all.
    max_turns: the number of newest turns, at most.
    max_tokens: as many of the newest turns as fit into this many tokens.
    step: the window begins only at the conversation's first turn and every `step` turns after
        it, so that its start moves seldom and a provider's prompt cache stays valid. With
        `max_turns=40, step=20` it holds 21 to 40 turns and moves once in 20 turns.
    token_counter: takes an item and returns how many tokens it has; by default
        `turnlog.items.tokens.token_counter`: tiktoken's count if that is installed, else an
        estimate.
    shorten: show old outputs of tools as markers; see `Shorten`.
    reads_compaction: whether the model can read a provider's compaction items, as OpenAI's models
        read OpenAI's. Then a view begins at the newest one. Else it leaves them out, and shows what
        comes before them. Our Runner asks the model.

    A window holds whole turns, which begin with a user's message, and no part of a turn that
    doesn't fit. With `max_turns` or `max_tokens`, `get_items()` gives that window too; under
    `limit` alone it gives exactly the newest items.

    The SDK's Runner asks for exactly the newest items if there is a `limit`: for it, set
    `max_turns` or `max_tokens` without a `limit`.

    Settings are also a dict of `limit` and the other fields that are set, because the OpenAI
    Agents SDK takes only a dict from other libraries, in its `RunConfig` and its session
    wrappers; of these fields, it knows `limit`. The dict can't be changed either; `resolve`
    makes other settings from these.
    """

    limit: int | None = None
    max_turns: int | None = None
    max_tokens: int | None = None
    step: int | None = None
    token_counter: TokenCounter | None = None
    shorten: Shorten | None = None
    reads_compaction: bool | None = None

    def __post_init__(self) -> None:
        for name, least in (("limit", None), ("max_turns", 0), ("max_tokens", 0), ("step", 1)):
            check_int_or_none(name, getattr(self, name), least)
        if self.step is not None and self.max_turns is not None and self.step > self.max_turns:
            raise ValueError(
                f"step is {self.step} and max_turns is {self.max_turns}: such a window would "
                f"often hold no turn; make step at most max_turns"
            )
        counter: object = self.token_counter
        if counter is not None and not callable(counter):
            kind = type(counter).__name__
            raise TypeError(f"token_counter must be a function of an item, not {kind}")
        shorten: object = self.shorten
        if shorten is not None and not isinstance(shorten, Shorten):
            raise TypeError(f"shorten must be a Shorten, not {type(shorten).__name__}")
        dict.update(self, {"limit": self.limit}, **_set_fields(self))

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("SessionSettings can't be changed; use settings.resolve({...}) instead")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> tuple[type[SessionSettings], tuple[Any, ...]]:
        # A dict is copied and unpickled by setting its items, and these can't be set.
        return type(self), tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    @property
    def has_windows(self) -> bool:
        """Whether `get_items()` gives a window of whole turns, as `view` does."""
        return self.max_turns is not None or self.max_tokens is not None

    def window(self, count: TokenCounter) -> Window:
        """The window with these bounds."""
        limit = None if self.limit is None or self.limit < 0 else self.limit
        step = None if self.step == 1 else self.step
        return Window(limit, self.max_turns, self.max_tokens, step, count)

    @classmethod
    def of(cls, value: SettingsLike) -> SessionSettings:
        """Settings from an instance, a dict, None, or the OpenAI Agents SDK's own class."""
        if isinstance(value, cls):
            return value
        given = value if isinstance(value, Mapping) else _set_fields(value)
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = [str(name) for name in given if name not in known]
        if unknown:
            raise TypeError(f"Unknown session settings: {', '.join(unknown)}")
        return cls(**given)

    @classmethod
    def either(cls, session_settings: SettingsLike, settings: SettingsLike) -> SettingsLike:
        """The one that was given of a constructor's two parameters for settings."""
        if session_settings is not None and settings is not None:
            raise TypeError("session_settings and settings are the same: give only one of them")
        return settings if session_settings is None else session_settings

    def resolve(self, override: SettingsLike) -> SessionSettings:
        """These settings, replaced by those that are set in `override`."""
        if override is None:
            return self
        fields = {name: value for name, value in self.of(override).items() if value is not None}
        return dataclasses.replace(self, **fields) if fields else self

    def to_dict(self) -> dict[str, Any]:
        """The settings as a plain dict."""
        return dict(self)


class _HasLimit(Protocol):
    """Settings of another library, such as the OpenAI Agents SDK's own class."""

    @property
    def limit(self) -> int | None: ...


#: All forms in which settings are accepted.
SettingsLike: TypeAlias = _HasLimit | Mapping[str, Any] | None

#: The type of `session_settings` on a session. The protocols of the SDK and of Turnlog both have
#: this attribute, each of its own class; Any is the one type that fits both.
AnySettings: TypeAlias = Any


def _set_fields(value: object) -> dict[str, Any]:
    """The fields of a dataclass that are not None."""
    if value is None:
        return {}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(
            f"session settings must be a SessionSettings or a dict, not {given(value)}: write "
            f"SessionSettings(limit=…)"
        )
    values = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: value for name, value in values.items() if value is not None}
