"""Length: a summary that is not shorter than what it stands for is of no use."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.errors import ModelBehaviorError
from turnlog.items.json import Item
from turnlog.items.kinds import is_provider_summary
from turnlog.items.tokens import TokenCounter

__all__ = ["check_shorter"]

# A summary of so many tokens does no harm, whatever it stands for. Of a few short turns, even a
# good one is longer, because it says what it is.
_HARMLESS = 200


def check_shorter(made: Sequence[Item], covered: Sequence[Item], count: TokenCounter) -> None:
    """Raise `ModelBehaviorError` if the summary `made` is not shorter than what it stands for.

    One that a provider has sealed is accepted: its tokens can't be counted.
    """
    if any(map(is_provider_summary, made)):
        return
    tokens, before = sum(map(count, made)), sum(map(count, covered))
    if tokens >= before and tokens > _HARMLESS:
        raise ModelBehaviorError(
            f"the summary has {tokens} tokens, and what it stands for has {before}, so nothing was "
            f"compacted: have the summariser write less, or cover more turns with a lower `keep`"
        )
