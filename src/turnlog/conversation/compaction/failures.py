"""Failures: after one, no summary is asked for before what is shown has changed in size.

A summariser that fails today fails tomorrow, most of the time, and each of its answers costs money
or time. What is known of failures is kept in this process alone: a failure stores nothing.
"""

from __future__ import annotations

from collections import OrderedDict

from turnlog.conversation.usage.spending import Place

__all__ = ["Failures"]

# So many branches are remembered; beyond that, those whose failure is the longest ago are not.
_MOST = 10_000


class Failures:
    """Branches on which a summary has failed, with the number of tokens that were shown then.

    share: by this share the number has to change before another summary is asked for.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._tokens: OrderedDict[Place, int] = OrderedDict()

    def note(self, place: Place, tokens: int) -> None:
        """A summary has failed on the branch `place`, where `tokens` were shown."""
        self._tokens[place] = tokens
        self._tokens.move_to_end(place)
        while len(self._tokens) > _MOST:
            self._tokens.popitem(last=False)

    def forget(self, place: Place) -> None:
        """A summary was made there."""
        self._tokens.pop(place, None)

    def is_too_early(self, place: Place, tokens: int) -> bool:
        """Whether a summary has failed there, and about as many tokens are still shown."""
        failed = self._tokens.get(place)
        return failed is not None and abs(tokens - failed) < self._share * failed
