"""Database paths as arguments: told apart from URLs, session ids and all that is no path."""

from __future__ import annotations

import os
from pathlib import Path

from turnlog.items.given import given, scheme_of

__all__ = ["check_order", "check_path"]

#: How files of SQLite are named.
_SUFFIXES = (".db", ".db3", ".sqlite", ".sqlite3")

#: What takes a URL, by its scheme without a driver.
_SESSIONS = {
    "postgres": "SQLAlchemySession.from_url(session_id, url=…)",
    "postgresql": "SQLAlchemySession.from_url(session_id, url=…)",
    "mysql": "SQLAlchemySession.from_url(session_id, url=…)",
    "mariadb": "SQLAlchemySession.from_url(session_id, url=…)",
    "redis": "RedisSession.from_url(session_id, url)",
    "rediss": "RedisSession.from_url(session_id, url)",
}


def check_path(db_path: object) -> None:
    """Raise `TypeError` for what is no path, and `ValueError` for a URL, which is not quoted."""
    if not isinstance(db_path, str | os.PathLike):
        raise TypeError(
            f"db_path must be the path of a file, not {given(db_path)}: give a str or a Path, or "
            f'":memory:"; settings are given as session_settings=…'
        )
    scheme = scheme_of(db_path) if isinstance(db_path, str) else ""
    if scheme:
        kind = scheme.partition("+")[0].lower()
        fallback = "StoredSession(session_id, open_store(url))"
        cure = "give its path" if kind == "sqlite" else f"write {_SESSIONS.get(kind, fallback)}"
        raise ValueError(f"db_path must be the path of a file, not a URL ({scheme}://…): {cure}")


def check_order(session_id: str, db_path: str | os.PathLike[str]) -> None:
    """Raise `ValueError` if the id is a file's name, and the path can only be an id.

    A path with a suffix or a folder is taken, and so is one where a file is, because people may
    have stored something in it.
    """
    if not session_id.endswith(_SUFFIXES):
        return
    text, path = os.fspath(db_path), Path(db_path)
    is_bare = path.name == text and not path.suffix and text != ":memory:"
    if is_bare and not path.exists():
        raise ValueError(
            "session_id is the name of a file and db_path is not: they are swapped, it is "
            "SQLiteSession(session_id, db_path); if you mean it, write ./ in front of the path"
        )
