"""Usage: the tokens that runs have spent, as a value that adds up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["COUNTS", "Usage", "total"]

#: The fields of `Usage` that are plain counts.
COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "requests",
)


@dataclass(frozen=True)
class Usage:
    """Tokens spent, as the provider counts them.

    cached_tokens: how many of the input tokens came from the provider's prompt cache.
    reasoning_tokens: how many of the output tokens were reasoning.
    requests: how many requests these tokens were spent on.
    input_details, output_details: the counts that the provider gave in detail, under its names.
        They take no part in comparisons.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 0
    input_details: Mapping[str, Any] | None = field(default=None, compare=False, kw_only=True)
    output_details: Mapping[str, Any] | None = field(default=None, compare=False, kw_only=True)

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def is_empty(self) -> bool:
        """Whether nothing was spent."""
        return not any(getattr(self, name) for name in COUNTS)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.requests + other.requests,
            input_details=_added(self.input_details, other.input_details),
            output_details=_added(self.output_details, other.output_details),
        )


def total(usages: Iterable[Usage]) -> Usage:
    """All of `usages` together."""
    return sum(usages, Usage())


def _added(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Details of two usages together: counts of the same name add up."""
    if one is None or other is None:
        return other if one is None else one
    return {**one, **{name: _sum(one.get(name), value) for name, value in other.items()}}


def _sum(one: Any, other: Any) -> Any:  # values of details are numbers, and mappings of them
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _added(one, other)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one + other
    return one if other is None else other
