"""Database paths as arguments: told apart from URLs, session ids and all that is no path."""

from __future__ import annotations

import os
from pathlib import Path

from turnlog.items.given import given, scheme_of
from turnlog.stores.options import SCHEMES, check_edges
from turnlog.stores.options import check_path as check_form

__all__ = ["check_order", "check_order_of_url", "check_path"]

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
    text = os.fspath(db_path)
    is_odd = "?" in text or ":" in text or text != text.strip()
    if is_odd and not Path(text).exists():  # else it is used already
        check_form(text)
        if isinstance(db_path, str):
            check_edges(text)


def check_order(session_id: str, db_path: str | os.PathLike[str]) -> None:
    """Raise `ValueError` if the id is a file's name, and the path can only be an id.

    A path with a suffix or a folder is taken, and so is one where a file is, because people may
    have stored something in it.
    """
    what = _place(session_id)
    if what and _is_bare(db_path):
        raise ValueError(
            f"session_id is {what} and db_path is not: they are swapped, it is "
            f"{_made(session_id)}; if you mean it, write ./ in front of the path"
        )


def check_order_of_url(session_id: object, url: object) -> None:
    """Raise `ValueError` if the id is a URL or a file's name, and the URL can only be an id."""
    what = _place(session_id) if isinstance(session_id, str) else ""
    if what and isinstance(url, str | os.PathLike) and _is_bare(url):
        raise ValueError(f"session_id is {what} and url is not: they are swapped, write url=…")


def _place(session_id: str) -> str:
    """What an id is that says where something is stored, never quoted; "" for all others."""
    scheme = scheme_of(session_id)
    if scheme.partition("+")[0].lower() in SCHEMES:
        return f"a URL ({scheme}://…)"
    return "the name of a file" if session_id.endswith(_SUFFIXES) else ""


def _made(session_id: str) -> str:
    kind = scheme_of(session_id).partition("+")[0].lower()
    return _SESSIONS.get(kind, "SQLiteSession(session_id, db_path)")


def _is_bare(where: str | os.PathLike[str]) -> bool:
    """Whether it has neither a suffix nor a folder, as an id, and no file is there."""
    text, path = os.fspath(where), Path(where)
    is_bare = path.name == text and not path.suffix and text != ":memory:"
    return is_bare and not path.exists()
