"""The fields of OpenAI's requests, read from the types that the `openai` package publishes."""

from collections.abc import Iterator
from typing import Any, Required, get_args, get_origin, get_type_hints

from openai.types.chat.chat_completion_message_param import ChatCompletionMessageParam
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.responses.response_compact_params import ResponseCompactParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from openai.types.responses.response_input_item_param import ResponseInputItemParam

__all__ = ["CHAT_REQUEST", "COMPACT_REQUEST", "ITEMS", "RESPONSE_REQUEST", "ROLES"]

#: The known and the required fields of something.
Fields = tuple[set[str], set[str]]


def _fields(typed: Any) -> Fields:
    # The types' own __required_keys__ is empty: their annotations are not evaluated.
    hints = get_type_hints(typed, include_extras=True)
    return set(hints), {name for name, hint in hints.items() if get_origin(hint) is Required}


def _by_tag(types: Any, tag: str) -> dict[str, Fields]:
    """The fields of each type, by the values that `tag` may have; merged where types share one."""
    found: dict[str, Fields] = {}
    for typed in get_args(types):
        known, required = _fields(typed)
        for name in _literals(get_type_hints(typed)[tag]):
            others = found.get(name, (set(), required))
            found[name] = others[0] | known, others[1] & required
    return found


def _literals(hint: Any) -> Iterator[str]:
    for arg in get_args(hint):
        if get_args(arg):
            yield from _literals(arg)
        elif isinstance(arg, str):
            yield arg


CHAT_REQUEST = _fields(CompletionCreateParamsBase)[0] | {"stream"}
COMPACT_REQUEST = _fields(ResponseCompactParams)[0]
RESPONSE_REQUEST = _fields(ResponseCreateParamsBase)[0] | {"stream"}
ITEMS = _by_tag(ResponseInputItemParam, "type")
ROLES = _by_tag(ChatCompletionMessageParam, "role")
