"""The output of OpenAI's compaction, as items that can be stored and sent again."""

from __future__ import annotations

from typing import Any

from turnlog.items.json import Item, copied, decode, encode_all
from turnlog.items.repair import repair
from turnlog.sessions.compaction.matching import is_closed, is_user_message

__all__ = ["output_of", "sound_output"]

#: The parts that hold a file or an image: where it may be, the best place first, and what else.
_SOURCES = {
    "input_image": (("image_url", "file_id"), ("detail",)),
    "input_file": (("file_data", "file_url", "file_id"), ("filename", "detail")),
}


def output_of(answer: Any) -> list[Item]:
    """The items of an answer of the endpoint, as `sound_output` gives them.

    Raises `ValueError` if it has none.
    """
    output = getattr(answer, "output", None)
    if not isinstance(output, list | tuple) or not output:
        raise ValueError("the compaction returned no items, so the history was left as it is")
    return sound_output(_read(output))


def sound_output(items: list[Item]) -> list[Item]:
    """`items`, which the endpoint has returned, in a form that can be sent again.

    If there are calls and outputs that don't belong together, they are repaired: a call without an
    output gets one that says so, and an output without its call is left out. Raises `ValueError`
    if an item can't be sent again, or if there are only messages of the user: nothing would stand
    for what was answered.
    """
    items = [_user_message(item) if item.get("role") == "user" else item for item in items]
    sound = repair(items)
    if all(map(is_user_message, sound)):
        raise ValueError(
            "the compaction returned nothing that stands for the answers, so the history was left "
            "as it is"
        )
    items = items if is_closed(items) else sound
    return items if any(item.get("type") == "reasoning" for item in items) else _without_ids(items)


def _read(output: list[Any] | tuple[Any, ...]) -> list[Item]:
    fields = [_fields(item) for item in output]
    if not all(isinstance(item, dict) for item in fields):
        raise ValueError("the compaction returned what is no item; the history was left as it is")
    return copied([decode(payload) for payload in encode_all(fields)])


def _fields(item: Any) -> Any:
    dump = getattr(item, "model_dump", None)
    # Without warnings: the parts of a user's message are not those of the type that holds it.
    return item if dump is None else dump(mode="json", exclude_unset=True, warnings=False)


def _without_ids(items: list[Item]) -> list[Item]:
    """`items`, the assistant's without the ids, which refer to reasoning that is not there."""
    return [
        {name: value for name, value in item.items() if name != "id"}
        if item.get("role") == "assistant"
        else item
        for item in items
    ]


def _user_message(item: Item) -> Item:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    return {**item, "content": [_part(part) for part in content]}


def _part(part: Any) -> Any:
    """`part` of a user's message, without fields that say nothing. Raises if it holds nothing."""
    if not isinstance(part, dict) or part.get("type") not in _SOURCES:
        return part
    sources, others = _SOURCES[part["type"]]
    source = next((name for name in sources if _says(part.get(name))), None)
    if source is None:
        raise ValueError(
            f"the compaction returned an {part['type']} without {' or '.join(sources)}; the "
            f"history was left as it is"
        )
    kept = [source, *(name for name in others if _says(part.get(name)))]
    return {"type": part["type"], **{name: part[name] for name in kept}}


def _says(value: object) -> bool:
    return isinstance(value, str) and bool(value)
