"""Reported usage: the usage objects of providers and of other libraries, read as ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from turnlog.conversation.usage.usage import Usage

__all__ = ["counts_in", "usage_in"]

#: Each provider's names of the same count.
_INPUT = ("input_tokens", "prompt_tokens")
_OUTPUT = ("output_tokens", "completion_tokens")
_INPUT_DETAILS = ("input_tokens_details", "prompt_tokens_details", "input_details")
_OUTPUT_DETAILS = ("output_tokens_details", "completion_tokens_details", "output_details")
#: Anthropic counts these beside its input tokens; OpenAI and others count them among them.
_BESIDE_INPUT = ("cache_read_input_tokens", "cache_creation_input_tokens")

#: All counts that a usage object has, beside those in its details.
_COUNTS = (
    *_INPUT,
    *_OUTPUT,
    *_BESIDE_INPUT,
    "cached_tokens",
    "reasoning_tokens",
    "requests",
)


def usage_in(reported: object) -> Usage:
    """The usage that `reported` holds.

    reported: the usage object of a response of `openai`, of the OpenAI Agents SDK, of
        `anthropic`, a dict with the same names, or a `Usage`; None: nothing was reported.

    Raises `TypeError` for anything else, and for a count that is no int; `ValueError` for a count
    below 0.
    """
    for name in _COUNTS if reported is not None else ():
        _check_count(name, _field(reported, name))
    if isinstance(reported, Usage):
        return reported
    if reported is not None and not any(_has(reported, name) for name in (*_INPUT, *_OUTPUT)):
        raise TypeError(
            f"usage is an object or a dict with input_tokens and output_tokens, or prompt_tokens "
            f"and completion_tokens, such as response.usage; not {type(reported).__name__}"
        )
    return counts_in(reported)


def _check_count(name: str, count: object) -> None:
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"{name} of a usage must be an int, not {type(count).__name__}")
    if count < 0:
        raise ValueError(f"{name} of a usage must be at least 0, and is {count}")


def counts_in(reported: object) -> Usage:
    """The counts in `reported`, as in `usage_in`; what is no count there counts as 0."""
    usage_input, usage_output = _first_count(reported, _INPUT), _first_count(reported, _OUTPUT)
    beside = {name: _count(reported, name) for name in _BESIDE_INPUT if _has(reported, name)}
    input_details = {**_details(reported, _INPUT_DETAILS), **beside}
    output_details = _details(reported, _OUTPUT_DETAILS)
    counted = Usage(
        usage_input + sum(beside.values()),
        usage_output,
        _count(reported, "cached_tokens")
        or _count(input_details, "cached_tokens")
        or beside.get("cache_read_input_tokens", 0),
        _count(reported, "reasoning_tokens") or _count(output_details, "reasoning_tokens"),
        _count(reported, "requests"),
        input_details=input_details or None,
        output_details=output_details or None,
    )
    return with_a_request(counted)


def with_a_request(usage: Usage) -> Usage:
    """`usage`, with one request if there were tokens and no request."""
    if usage.requests or usage.is_empty:
        return usage
    return dataclasses.replace(usage, requests=1)


def _has(value: object, name: str) -> bool:
    return name in value if isinstance(value, Mapping) else hasattr(value, name)


def _field(value: object, name: str) -> Any:  # whatever the object holds
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _first_count(value: object, names: tuple[str, ...]) -> int:
    return next((_count(value, name) for name in names if _has(value, name)), 0)


def _count(value: object, name: str) -> int:
    found = _field(value, name)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _details(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    found = next((_field(value, name) for name in names if _has(value, name)), None)
    return _counts(_plain(found))


def _plain(found: object) -> Mapping[str, Any]:
    """The fields of an object."""
    if isinstance(found, Mapping):
        return found
    dump = getattr(found, "model_dump", None)
    fields = dump() if callable(dump) else getattr(found, "__dict__", {})
    return fields if isinstance(fields, Mapping) else {}


def _counts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers in `fields`, and the mappings of numbers. Texts may be anything, so none."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            kept[name] = _counts(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            kept[name] = value
    return kept
