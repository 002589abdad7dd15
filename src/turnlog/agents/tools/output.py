"""Tool outputs: from the value that a tool returned to what the model is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import Literal, TypeAlias

from turnlog.agents.tools import pydantic
from turnlog.items.json import Item

__all__ = ["ToolOutput", "ToolOutputFileContent", "ToolOutputImage", "ToolOutputText", "to_output"]

#: The `output` of a function_call_output item.
ToolOutput: TypeAlias = str | list[Item]


@dataclass(frozen=True)
class ToolOutputText:
    """Text, as a part of a tool's output."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True)
class ToolOutputImage:
    """A picture, as a part of a tool's output: a URL (also a data URL) or a provider's file."""

    image_url: str | None = None
    file_id: str | None = None
    detail: Literal["low", "high", "auto"] | None = None
    type: Literal["image"] = "image"


@dataclass(frozen=True)
class ToolOutputFileContent:
    """A file, as a part of a tool's output: base64, a URL, or a provider's file."""

    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    type: Literal["file"] = "file"


# A dict is a part, and not data that happens to have a `type`, if it has one of these fields …
_FIELDS = {
    "text": {"text"},
    "image": {"image_url", "file_id"},
    "file": {"file_data", "file_url", "file_id"},
}
# … and no others than these, which are all that providers accept.
_KNOWN = {
    "text": {"type", "text"},
    "image": {"type", "image_url", "file_id", "detail"},
    "file": {"type", "file_data", "file_url", "file_id", "filename", "detail"},
}


def to_output(value: object) -> ToolOutput:
    """`value` in the form that a model is shown.

    Text stays as it is, parts and lists of parts stay parts, and everything else becomes JSON.
    Raises `ValueError` for a value that contains itself.
    """
    if isinstance(value, str):
        return value
    values = value if isinstance(value, list | tuple) else [value]
    parts = [_part(each) for each in values]
    found = [part for part in parts if part is not None]
    if found and len(found) == len(parts):
        return found
    # JSON has no NaN and no bytes; models understand these forms of them.
    made = pydantic.to_json(value, fallback=str, inf_nan_mode="constants", bytes_mode="base64")
    return made.decode()


def _part(value: object) -> Item | None:
    data = _data(value)
    if data is None:
        return None
    kind = str(data.get("type")).removeprefix("input_")
    if not any(isinstance(data.get(field), str) for field in _FIELDS.get(kind, ())):
        return None
    given = {key: field for key, field in data.items() if field is not None}
    if not given.keys() <= _KNOWN[kind]:
        return None
    return {**given, "type": f"input_{kind}"}


def _data(value: object) -> Item | None:
    """The fields of `value`, if it may be a part: a dict, or an object with a `type`."""
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type) and hasattr(value, "type"):
        return asdict(value)
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) and hasattr(value, "type") else None
