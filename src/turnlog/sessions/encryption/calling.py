"""Calls of a wrapped session, which may be of any class, in the form that its methods take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["VERBS", "called", "checked_pop_of", "takes", "takes_argument", "wrapper_for"]

#: The methods of every session.
VERBS = ("get_items", "add_items", "pop_item", "clear_session")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_PLACED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
_CHECKED_POP = "_pop_item_with_validation"


async def called(method: Callable[..., Any], *args: object, wrapper: object = None) -> Any:
    """The result of `method`, which gets `wrapper` too, if that is not None and it takes one."""
    named = {} if wrapper is None or not takes(method, "wrapper") else {"wrapper": wrapper}
    result = method(*args, **named)
    return await result if inspect.isawaitable(result) else result


def wrapper_for(session: Any, wrapper: object) -> object:
    """`wrapper`, the context of a run of the SDK; None unless all four verbs take one."""
    if wrapper is None or not all(takes(getattr(session, verb), "wrapper") for verb in VERBS):
        return None
    return wrapper


def takes(method: Callable[..., object], *names: str) -> bool:
    """Whether `method` has parameters of these names."""
    try:
        parameters = inspect.signature(method).parameters
    except (TypeError, ValueError):
        return False
    return all(name in parameters and parameters[name].kind in _NAMED for name in names)


def takes_argument(method: Callable[..., object]) -> bool:
    """Whether `method` takes an argument by its place."""
    kinds = {each.kind for each in inspect.signature(method).parameters.values()}
    return not kinds.isdisjoint(_PLACED)


def checked_pop_of(session: object) -> Callable[..., Any] | None:
    """The method of `session` that pops an item only if a function of it raises nothing.

    None if there is none, or `pop_item` is overridden by a class or instance that does not know
    of it.
    """
    if "pop_item" in getattr(session, "__dict__", {}):
        return None
    for kind in type(session).__mro__:
        if _CHECKED_POP in vars(kind):
            method: Callable[..., Any] = getattr(session, _CHECKED_POP)
            return method
        if "pop_item" in vars(kind):
            return None
    return None
