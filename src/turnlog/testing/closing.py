"""Promises about the end of a session over a store, and about how it prints, as a test class."""

from __future__ import annotations

from turnlog.conversation.session import StoredSession
from turnlog.testing.conversation import said

__all__ = ["ClosingTests"]


class ClosingTests:
    """Promises about closing and printing; `StoredSessionTests` includes them."""

    async def test_a_block_gives_the_session_and_closes_it(self, stored: StoredSession) -> None:
        async with stored as same:
            assert same is stored
            await same.add_items([said("1")])
            assert await same.get_items() == [said("1")]
        await stored.close()  # again, which is fine

    async def test_closing_may_be_awaited_on_every_class(self, stored: StoredSession) -> None:
        await stored.add_items([said("1")])
        for _ in range(3):
            await stored.close()

    async def test_it_says_what_it_is_and_where(self, stored: StoredSession) -> None:
        shown = repr(stored)
        branch = f"branch={stored.branch!r}"
        for part in (type(stored).__name__, stored.session_id, branch, repr(stored.store)):
            assert part in shown
        await stored.add_items([said("something that people said")])
        assert repr(stored) == shown
