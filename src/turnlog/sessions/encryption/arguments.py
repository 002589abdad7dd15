"""Arguments of encrypted sessions, checked before anything is read or written."""

from __future__ import annotations

from turnlog.sessions.encryption.calling import VERBS

__all__ = ["check_inner", "check_settings"]


def check_inner(session: object) -> None:
    """Raise `TypeError` if `session` can't hold the items of an encrypted session."""
    if not all(hasattr(session, verb) for verb in VERBS):
        raise TypeError(
            f"the session inside must be a session, such as SQLiteSession(id, path), not "
            f"{type(session).__name__}"
        )


def check_settings(session_id: object, ttl: object, max_scan_items: int | None) -> None:
    """Raise `TypeError` or `ValueError` for settings that an `EncryptedSession` can't use."""
    if not isinstance(session_id, str):
        raise TypeError(f"session_id must be a str, not {type(session_id).__name__}")
    if not isinstance(ttl, int | float | None):
        raise TypeError(f"ttl must be a number of seconds or None, not {type(ttl).__name__}")
    if max_scan_items is not None and max_scan_items <= 0:
        raise ValueError("max_scan_items must be positive or None")
