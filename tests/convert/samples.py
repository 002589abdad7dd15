"""Items for tests of the conversions, and the words that a conversion has to keep."""

from tests.sample_items import answer, call
from turnlog.items.json import Item

__all__ = ["CALL", "said", "words_of"]

CALL: Item = call("look")


def said(text: str, **fields: object) -> Item:
    """An answer as the Responses API returns it."""
    return answer(text, status="completed", **fields)


def words_of(value: object) -> list[str]:
    """All that is said in `value`, in order, whatever the format."""
    if isinstance(value, list):
        return [word for part in value for word in words_of(part)]
    if not isinstance(value, dict):
        return []
    return [
        word
        for key, inner in value.items()
        for word in (
            [inner]
            if isinstance(inner, str) and key in {"text", "content", "output", "refusal", "input"}
            else words_of(inner)
        )
    ]
