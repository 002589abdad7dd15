"""Promises of branches on every store: forks, rewinding and clearing, as one test class."""

from __future__ import annotations

from turnlog.testing.branches import BranchTests
from turnlog.testing.clearing import ClearingTests
from turnlog.testing.rewinding import RewindingTests

__all__ = ["BranchingTests"]


class BranchingTests(BranchTests, RewindingTests, ClearingTests):
    """All promises of branches. The class that inherits it has `stored`."""
