"""Linearizability: calls that overlap have results as if they had come one after another."""

from __future__ import annotations

import asyncio

from turnlog.store import Store
from turnlog.testing.clients import client
from turnlog.testing.linear import is_linearizable

__all__ = ["Linear"]

CLIENTS = 6
CALLS = 8


class Linear:
    """Histories of commits to several logs, reads and deletions are linearizable."""

    #: The number of histories.
    histories = 12

    async def test_histories_are_linearizable(self, store: Store, twin: Store) -> None:
        for number in range(self.histories):
            clients = (
                client([store, twin][n % 2], f"s{number}", "k", CALLS, seed=number * CLIENTS + n)
                for n in range(CLIENTS)
            )
            history = [call for calls in await asyncio.gather(*clients) for call in calls]
            assert is_linearizable(history), sorted(history, key=lambda call: call.begin)
