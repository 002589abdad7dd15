"""The promises of compaction over every kind of store, and through layers."""

import os

import pytest

from turnlog import Store, StoredSession
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.layers.traced import Traced
from turnlog.stores.memory import MemoryStore
from turnlog.testing.compaction import CompactionTests

pytestmark = pytest.mark.anyio


@pytest.mark.stores("sqlite", "sqlite+sqlalchemy", "postgres", "mariadb", "redis", "dapr")
class TestEveryStore(CompactionTests):
    @pytest.fixture
    def stored(self, any_store: Store) -> StoredSession:
        return StoredSession("s", any_store)


class TestThroughLayers(CompactionTests):
    @pytest.fixture
    def stored(self) -> StoredSession:
        sealed = Encrypted(MemoryStore(), Keyring({"k": os.urandom(32)}, primary="k"))
        return StoredSession("s", Traced(sealed))
