"""Messages that no provider takes: found before they are stored, where a cure is still at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from turnlog.errors import InvalidItem
from turnlog.items.given import given
from turnlog.items.json import check_listed

__all__ = ["checked", "unchecked"]

#: Every role that a provider behind OpenAI's APIs has, of today and of earlier models.
_ROLES = frozenset(
    {
        *("user", "assistant", "system", "developer", "tool", "function"),
        *("critic", "discriminator", "unknown"),  # in the Conversations API
    }
)

#: What these say is their content. An assistant may call tools and say nothing.
_SAYING = frozenset({"user", "system", "developer"})

_CURE = 'write {"role": "user", "content": "…"}; add_items(…, strict=False) stores it as it is'

_is_checked: ContextVar[bool] = ContextVar("turnlog_messages_are_checked", default=True)


def checked(items: Iterable[object]) -> list[object]:
    """`items` as a list. Raises `InvalidItem` for the first message that every provider refuses.

    It has no role or an unknown one, or no content. Not looked at are items of other types, those
    with neither type nor role, which may be anything, objects that are no dict, and messages with
    a `status`, which a provider has made. Of the contents, nothing is quoted.
    """
    check_listed(items)
    listed = [*items]
    if _is_checked.get():
        for index, item in enumerate(listed):
            problem = _problem(item) if type(item) is dict else None
            if problem is not None:
                raise InvalidItem(f"items[{index}]", f"{problem}: {_CURE}")
    return listed


@contextmanager
def unchecked() -> Iterator[None]:
    """Within, nothing is refused: what a model has answered, or what was stored before."""
    before = _is_checked.get()
    _is_checked.set(False)
    try:
        yield
    finally:
        # Not reset by a token: an asynchronous generator may be closed in another context.
        _is_checked.set(before)


def _problem(item: dict[object, object]) -> str | None:
    role = item.get("role")
    is_message = item.get("type", "message") == "message" and ("type" in item or role is not None)
    if not is_message or "status" in item:
        return None
    if role is None:
        return "a message needs a role"
    if role not in _ROLES if isinstance(role, str) else True:
        return "the role of a message is user, assistant, system, developer or tool"
    content = item.get("content")
    if role in _SAYING and isinstance(content, int | float | None):
        return f"the content of a message is text or a list of parts, not {given(content)}"
    return None
