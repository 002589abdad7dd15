"""Arguments of encrypted sessions, checked before anything is read or written."""

from __future__ import annotations

from turnlog.items.given import check_int_or_none, check_session_id, given
from turnlog.sessions.encryption.calling import VERBS

__all__ = ["check_inner", "check_settings"]


def check_inner(session: object) -> None:
    """Raise `TypeError` if `session` can't hold the items of an encrypted session."""
    if isinstance(session, type) or not all(hasattr(session, verb) for verb in VERBS):
        raise TypeError(
            f"the session inside must be a session, not {given(session)}: it is "
            f"EncryptSession(session, key), or EncryptedSession(session_id, session, key)"
        )


def check_settings(session_id: object, ttl: object, max_scan_items: int | None) -> None:
    """Raise `TypeError` or `ValueError` for settings that an `EncryptedSession` can't use."""
    check_session_id(session_id, "EncryptedSession")
    if not isinstance(ttl, int | float | None):
        raise TypeError(f"ttl must be a number of seconds or None, not {given(ttl)}")
    check_int_or_none("max_scan_items", max_scan_items, 1)
