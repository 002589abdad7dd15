"""pydantic, imported when it is first used: the part of it that checks models' answers.

Agents without tools, handoffs and output types don't need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
    from pydantic_core import to_json

__all__ = [
    "BaseModel",
    "ConfigDict",
    "Field",
    "TypeAdapter",
    "ValidationError",
    "create_model",
    "to_json",
]

_HOME_OF = {"to_json": "pydantic_core"}


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        return getattr(import_module(_HOME_OF.get(name, "pydantic")), name)
    except ImportError as error:
        raise ImportError(
            "tools, handoffs and output types need pydantic: pip install 'turnlog[openai]'",
            name=error.name,
        ) from error
