"""Title, owner, tags, archived and hold, as the metadata pairs of a conversation at OpenAI.

The API keeps 16 pairs of text, keys of 64 characters and values of 512. A long list of tags
takes several pairs. Other pairs stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from turnlog.conversation.about import About, described, kept_note
from turnlog.items.json import decode, encode, is_writable

__all__ = ["about_in", "changed", "kept_pairs", "note_of"]

_PAIRS, _VALUE = 16, 512
_TEXTS = ("title", "owner")
_FLAGS = ("archived", "hold")
_TAGS = "tags"


def about_in(pairs: Mapping[str, str]) -> About:
    """What `pairs` say."""
    return About.of(note_of(pairs))


def changed(
    session: str, pairs: Mapping[str, str], changes: Mapping[str, object]
) -> dict[str, str]:
    """`pairs` with the changes that `describe` takes.

    Raises `TypeError` for an unknown name or a value of another type, `ValueError` for what the
    API can't hold.
    """
    return _pairs_of(described(session, note_of(pairs), changes), pairs)


def _pairs_of(note: bytes, others: Mapping[str, str] | None = None) -> dict[str, str]:
    """The pairs that say what `note` says, and those of `others` that say something else."""
    about = About.of(note)
    pairs = {name: text for name, text in (others or {}).items() if not _is_ours(name)}
    for name in _TEXTS:
        text = getattr(about, name)
        if text is not None:
            pairs[name] = _checked(name, text)
    pairs |= {name: "true" for name in _FLAGS if getattr(about, name)}
    pairs |= _tag_pairs(about.tags)
    if len(pairs) > _PAIRS:
        raise ValueError(
            f"the metadata of a conversation at OpenAI has {_PAIRS} pairs, and this would take "
            f"{len(pairs)}: give it fewer or shorter tags"
        )
    return pairs


def kept_pairs(pairs: Mapping[str, str]) -> dict[str, str]:
    """Those that stay when the conversation is cleared: all but its title and "archived"."""
    return _pairs_of(kept_note(note_of(pairs)), pairs)


def note_of(pairs: Mapping[str, str]) -> bytes:
    """A note, as stores keep it, that says what `pairs` say."""
    fields: dict[str, object] = {name: pairs[name] for name in _TEXTS if name in pairs}
    fields |= {name: True for name in _FLAGS if pairs.get(name) == "true"}
    if tags := _tags_in(pairs):
        fields[_TAGS] = tags
    return encode(fields) if fields else b""


def _checked(name: str, text: str) -> str:
    if len(text) > _VALUE:
        raise ValueError(
            f"{name} has {len(text)} characters: the metadata of a conversation at OpenAI keeps "
            f"{_VALUE} at most"
        )
    if not is_writable(text):
        raise ValueError(f"{name} holds half a surrogate pair, which no request can hold")
    return text


def _tag_pairs(tags: tuple[str, ...]) -> dict[str, str]:
    if not tags:
        return {}
    if not is_writable(list(tags)):
        raise ValueError("a tag holds half a surrogate pair, which no request can hold")
    text = json.dumps(tags, ensure_ascii=False)
    parts = [text[start : start + _VALUE] for start in range(0, len(text), _VALUE)]
    return {_tag_key(number): part for number, part in enumerate(parts, 1)}


def _tags_in(pairs: Mapping[str, str]) -> list[str]:
    parts: list[str] = []
    while (key := _tag_key(len(parts) + 1)) in pairs:
        parts.append(pairs[key])
    try:
        # Wrapped, because `decode` takes an object.
        tags = decode(f'{{"tags":{"".join(parts) or "[]"}}}'.encode())["tags"]
    except ValueError:
        return []  # somebody else uses the key for something else
    return tags if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags) else []


def _tag_key(number: int) -> str:
    return _TAGS if number == 1 else f"{_TAGS}.{number}"


def _is_ours(name: str) -> bool:
    stem, _, number = name.partition(".")
    return name in (*_TEXTS, *_FLAGS) or (stem == _TAGS and (not number or number.isdigit()))
