"""What defective stores are made of."""

from collections.abc import Sequence

from turnlog.changes import (
    Append,
    Change,
    Check,
    Committed,
    Key,
    check_changes,
    check_conditions,
)
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore


class Altering(MemoryStore):
    """Makes other changes than those it was given."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        return await super().commit(session, [self.alter(c) for c in changes], key=key)

    def alter(self, change: Change) -> Change:
        raise NotImplementedError


def unconditional(change: Change) -> Change:
    """The change without its condition; a Check becomes an Append of nothing."""
    return Append(change.log, []) if isinstance(change, Check) else change._replace(expect=None)


async def check_early(store: Store, session: str, changes: Sequence[Change]) -> None:
    heads = await store.logs(session)
    ends = {head.log.name: head.last for head in heads}
    check_conditions(session, changes, ends, {head.log.name: head.note for head in heads})
