"""The two orders of arguments: the session id first, or the database file."""

from __future__ import annotations

from typing import Any

__all__ = ["in_order"]


def in_order(kind: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
    """The positional arguments with the session id first, as `turnlog` has them.

    options: the arguments by name; an id among them is taken out if a file stands in front.

    Raises `TypeError` if it can't be told which argument is which.
    """
    if len(args) == 1 and "session_id" in options and "db_path" not in options:
        return options.pop("session_id"), *args
    is_clear = len(args) > 1 or "db_path" in options if args else "session_id" in options
    if not is_clear or (args and "session_id" in options):
        raise TypeError(
            f'{kind} takes a session id and a database file: write {kind}("user_123", '
            f'"conversations.db") or {kind}("conversations.db", session_id="user_123"); or '
            f'{kind}(session_id="user_123"), to keep the conversation in memory'
        )
    return args
