"""The root of every error that Turnlog raises itself."""

from __future__ import annotations

__all__ = ["TurnlogError"]


class TurnlogError(Exception):
    """The root of every error that Turnlog raises itself."""
