"""How much of a session a run is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

__all__ = ["SessionSettings", "SettingsLike"]


@dataclass(frozen=True)
class SessionSettings(dict[str, Any]):
    """What of a session is read when the caller doesn't say.

    limit: how many of the newest items; None means all.

    It is a dict of its fields as well, because a dict is all that the OpenAI Agents SDK
    takes from strangers, in its `RunConfig` and its session wrappers.
    """

    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and type(self.limit) is not int:
            raise TypeError(f"limit is an int or None, not {type(self.limit).__name__}")
        dict.update(self, {f.name: getattr(self, f.name) for f in dataclasses.fields(self)})

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

    def resolve(self, override: SettingsLike) -> SessionSettings:
        """These settings, with whatever `override` sets laid over them."""
        return dataclasses.replace(self, **_set_fields(self.of(override)))

    def to_dict(self) -> dict[str, Any]:
        """The settings as a plain dict."""
        return dict(self)


class _HasLimit(Protocol):
    """Settings of another library, such as the OpenAI Agents SDK's own class."""

    @property
    def limit(self) -> int | None: ...


#: Whatever settings are taken from.
SettingsLike: TypeAlias = _HasLimit | Mapping[str, Any] | None


def _set_fields(value: object) -> dict[str, Any]:
    """The fields of a dataclass that are not None."""
    if value is None:
        return {}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(
            f"session settings are a SessionSettings or a dict, not {type(value).__name__}"
        )
    values = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: value for name, value in values.items() if value is not None}
