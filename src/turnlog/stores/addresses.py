"""Addresses: one name for every spelling of the same host."""

from __future__ import annotations

__all__ = ["host_of"]

_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})


def host_of(name: str) -> str:
    """One name for all that mean this machine, and for all spellings of another host's name."""
    plain = name.strip("[]").rstrip(".").lower()
    return "localhost" if plain in _HERE else plain
