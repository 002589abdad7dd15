"""Sessions of other people: four methods, and never heard of Turnlog; and what encrypts them."""

import copy
from typing import Any

from tests.sample_items import answer, user
from turnlog import EncryptedSession, Item, SessionSettings

__all__ = ["PLAIN", "TALK", "Stranger", "sealed"]

TALK = [user("one"), answer("1"), user("two"), answer("2")]
PLAIN = user("in plain text")


class Stranger:
    """Keeps its items in a dict of the caller."""

    session_settings: SessionSettings | None = None

    def __init__(self, session_id: str, shelf: dict[str, list[Item]]) -> None:
        self.session_id = session_id
        self._shelf = shelf

    async def get_items(self, limit: int | None = None) -> list[Item]:
        items = copy.deepcopy(self._shelf.get(self.session_id, []))
        return items if limit is None else items[max(0, len(items) - limit) :]

    async def add_items(self, items: list[Item]) -> None:
        self._shelf.setdefault(self.session_id, []).extend(copy.deepcopy(items))

    async def pop_item(self) -> Item | None:
        items = self._shelf.get(self.session_id)
        return items.pop() if items else None

    async def clear_session(self) -> None:
        self._shelf.pop(self.session_id, None)


def sealed(session: Any, key: str = "right", **options: Any) -> EncryptedSession:
    return EncryptedSession("a", session, key, **options)
