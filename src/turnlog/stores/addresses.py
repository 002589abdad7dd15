"""Addresses: host names in one spelling, to compare databases by their address."""

from __future__ import annotations

__all__ = ["host_of"]

_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})


def host_of(name: str) -> str:
    """The host in its one spelling; "localhost" for all names and addresses of this machine."""
    plain = name.strip("[]").rstrip(".").lower()
    return "localhost" if plain in _HERE else plain
