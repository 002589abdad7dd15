"""SQLite: the default store, and the fast one.

store ── jobs ──▶ engine (one per file and process, found in the registry)
                    ├── writer thread ── connection
                    └── reader threads ─ connections
"""

from turnlog.stores.sqlite.schema import Tables
from turnlog.stores.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore", "Tables"]
