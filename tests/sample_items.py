"""Sample items: a question, an answer, a call of a tool and its output."""

from turnlog.items.json import Item

__all__ = ["answer", "call", "output", "user"]


def user(text: str) -> Item:
    """A message of the user."""
    return {"content": text, "role": "user"}


def answer(text: str, **fields: object) -> Item:
    """A message of the assistant; `fields` are added to it."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part], **fields}


def call(name: str = "look", number: int = 1, arguments: str = "{}", **fields: object) -> Item:
    """A call of the tool `name`, with the id `call_{number}`; `fields` are added to it."""
    named = {"type": "function_call", "call_id": f"call_{number}", "name": name}
    return {**named, "arguments": arguments, **fields}


def output(value: object = "seen", number: int = 1) -> Item:
    """The output of the call with the same number."""
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": value}
