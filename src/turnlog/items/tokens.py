"""Token counts of items: an estimate, or tiktoken's count if it is installed."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

from turnlog.items.json import JSON, Item

__all__ = ["TokenCounter", "estimated_tokens", "token_counter"]

#: Takes an item and returns how many tokens it has.
TokenCounter: TypeAlias = Callable[[Item], int]

# The tokens around a text: the role of an item, or the name and id of a call.
_FRAME = 4
# An image of usual size, and one with detail "low".
_IMAGE, _ROUGH_IMAGE = 1000, 85
_IMAGES = ("input_image", "image_url", "image", "computer_screenshot", "image_generation_call")
# Fields that name or describe an item, and are not its content.
_LABELS = {"type", "role", "status", "id", "call_id", "detail", "logprobs"}

_ENCODING = "o200k_base"
# tiktoken fetches its table from the network when it has none on disk, and sets no bound.
_SECONDS_TO_LOAD = 5.0

_logger = logging.getLogger(__name__)


def estimated_tokens(item: Item) -> int:
    """A token for every four bytes of text in UTF-8; 1,000 for an image (85 with detail
    "low"); and four for each item.

    Compared with o200k_base, which is OpenAI's: English prose and source files within a
    tenth, other languages up to a half too many, dense JSON up to a third too few. Files and
    encrypted reasoning are counted as the text in which they are sent.
    """
    written = sum(len(text.encode("utf-8", "surrogatepass")) for text in _texts(item))
    return _FRAME + _images(item) + -(-written // 4)


@functools.cache
def token_counter() -> TokenCounter:
    """A counter of tokens: tiktoken's for current OpenAI models if installed, else the estimate.

    The first call loads tiktoken's table, which blocks. When that fails or takes more than
    five seconds, a warning is logged, and the estimate is used from then on.
    """
    try:
        import tiktoken  # noqa: PLC0415 - slow to import, and seldom installed
    except ImportError:
        return estimated_tokens
    loaded: list[TokenCounter] = []
    failed: list[str] = []

    def load() -> None:
        try:
            encode = tiktoken.get_encoding(_ENCODING).encode_ordinary
        except Exception as error:  # noqa: BLE001 - it is named in the log below
            failed.append(type(error).__name__)
        else:
            loaded.append(lambda item: _counted(item, encode))

    # A daemon, because a process must not wait for the network at its end.
    loader = threading.Thread(target=load, daemon=True, name="turnlog-tiktoken")
    loader.start()
    loader.join(_SECONDS_TO_LOAD)
    if loaded:
        return loaded[0]
    why = failed[0] if failed else f"no answer in {_SECONDS_TO_LOAD:g} seconds"
    _logger.warning("tiktoken has no table for %s (%s): tokens are estimated", _ENCODING, why)
    return estimated_tokens


def _counted(item: Item, encode: Callable[[str], list[int]]) -> int:
    return _FRAME + _images(item) + sum(len(encode(text)) for text in _texts(item))


def _texts(value: JSON) -> Iterator[str]:
    """The texts in an item, without labels and images."""
    for text, field in _scalars(value):
        if isinstance(text, str) and field not in _LABELS:
            yield text


def _images(value: JSON) -> int:
    """The tokens of the images in an item."""
    images = [part for part, _ in _scalars(value) if isinstance(part, dict)]
    return sum(_ROUGH_IMAGE if part.get("detail") == "low" else _IMAGE for part in images)


def _scalars(value: JSON) -> Iterator[tuple[JSON, str]]:
    """Each scalar in `value` with the field that it is in, and each image whole; in any order.

    Without recursion: an item may be nested deeper than Python recurses.
    """
    todo: list[tuple[JSON, str]] = [(value, "")]
    while todo:
        part, field = todo.pop()
        if isinstance(part, list):
            todo += [(inner, field) for inner in part]
        elif isinstance(part, dict) and part.get("type") not in _IMAGES:
            todo += [(inner, key) for key, inner in part.items()]
        else:
            yield part, field
