"""Turnlog's tests. Their folders mirror those of src/turnlog; a few more hold what tests share."""

from pathlib import Path

__all__ = ["ROOT"]

#: The folder of the repository.
ROOT = Path(__file__).parents[1]
