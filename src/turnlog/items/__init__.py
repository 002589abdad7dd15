"""Items: pure functions over the JSON objects of a conversation."""

from turnlog.items.json import Item, decode, encode

__all__ = ["Item", "decode", "encode"]
