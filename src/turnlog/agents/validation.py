"""pydantic, which checks what models say against the types of Python."""

try:
    from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
    from pydantic_core import to_json
except ImportError as error:
    raise ImportError(
        "tools, handoffs and output types need pydantic: pip install 'turnlog[openai]'",
        name=error.name,
    ) from error

__all__ = [
    "BaseModel",
    "ConfigDict",
    "Field",
    "TypeAdapter",
    "ValidationError",
    "create_model",
    "to_json",
]
