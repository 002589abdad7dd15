"""The usage of a compaction's request, added to that of the run which it belongs to."""

from __future__ import annotations

from typing import Any

from turnlog.conversation.usage.reported import counts_in, with_a_request
from turnlog.conversation.usage.usage import Usage
from turnlog.items.json import Item

__all__ = ["add_usage", "usage_fields"]

_COUNTS = ("input_tokens", "output_tokens", "total_tokens")
_DETAILS = ("input_tokens_details", "output_tokens_details")


def add_usage(run: Any, reported: object) -> None:
    """Add what a request has cost to `run`, the context of a run of ours or of the SDK, or None."""
    usage = getattr(run, "usage", None)
    if usage is None or reported is None:
        return
    if isinstance(usage, Usage):
        run.usage = usage + with_a_request(counts_in(reported))
    elif hasattr(usage, "requests"):  # the SDK's, which takes its own kind only
        counts = {name: getattr(reported, name, None) or 0 for name in _COUNTS}
        details = {name: getattr(reported, name, None) for name in _DETAILS}
        usage.add(type(usage)(requests=1, **counts, **details))
    else:
        usage.add(reported)


def usage_fields(reported: Any) -> Item | None:
    """The usage as it is kept with a summary."""
    dump = getattr(reported, "model_dump", None)
    fields = reported if dump is None else dump(mode="json", exclude_none=True)
    return fields if isinstance(fields, dict) else None
