"""SQLite: the default store, and the fast one.

store ── jobs ──▶ engine (one per file and process, found in the registry)
                    ├── writer thread ── connection
                    └── reader threads ─ connections
"""

from turnlog.stores.sqlite.connections import JournalMode
from turnlog.stores.sqlite.store import PATIENCE, SQLiteStore
from turnlog.stores.tables import Tables

__all__ = ["PATIENCE", "JournalMode", "SQLiteStore", "Tables"]
