"""Addresses: one name for every spelling of the same host."""

from __future__ import annotations

__all__ = ["address_of", "host_of"]

_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})


def address_of(host: str, port: object = None) -> str:
    """A host and its port, as a URL has them; None or 0 for a socket or no port."""
    name = f"[{host}]" if ":" in host and not host.startswith(("[", "/")) else host
    return f"{name}:{port}" if port else name


def host_of(name: str) -> str:
    """One name for all that mean this machine, and for all spellings of another host's name."""
    plain = name.strip("[]").rstrip(".").lower()
    return "localhost" if plain in _HERE else plain
