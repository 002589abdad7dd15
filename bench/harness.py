"""Measurement: alternating rounds in one process, medians and ratios.

The contenders of a workload take turns, in an order that shifts with each round, each on
a new folder of the same file system. So a change in the speed of the machine affects all alike.
"""

import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Workload", "measure", "report"]

#: Does the work in a folder of its own; returns the seconds that one operation took.
Contender = Callable[[Path], Awaitable[float]]


@dataclass
class Workload:
    """The same work, done by several contenders."""

    name: str
    turnlog: Contender
    #: None where the SDK has no such thing.
    sdk: Contender | None
    bare: Contender | None
    #: The goal for the ratios.
    goal: str
    #: Seconds an operation took, by contender, one entry a round.
    times: dict[str, list[float]] = field(default_factory=dict)

    @property
    def contenders(self) -> dict[str, Contender]:
        """The contenders by the name that the report gives them."""
        known = {"turnlog": self.turnlog, "sdk": self.sdk, "bare": self.bare}
        return {name: run for name, run in known.items() if run is not None}


def measure(workload: Workload, rounds: int, folder: Path | None) -> None:
    """Run all contenders `rounds` times, after one round that is not counted."""
    names = list(workload.contenders)
    for round_ in range(-1, rounds):
        shift = round_ % len(names)
        for name in names[shift:] + names[:shift]:
            seconds = _once(workload.contenders[name], folder)
            if round_ >= 0:
                workload.times.setdefault(name, []).append(seconds)


def _once(contender: Contender, folder: Path | None) -> float:
    place = Path(tempfile.mkdtemp(prefix="turnlog-bench-", dir=folder))
    try:
        return asyncio.run(_in(contender, place))
    finally:
        shutil.rmtree(place)


async def _in(contender: Contender, place: Path) -> float:
    return await contender(place)


def report(workload: Workload) -> str:
    """One line of a table: medians in microseconds, ratios of medians."""
    medians = {name: statistics.median(times) for name, times in workload.times.items()}
    ours = medians["turnlog"]
    spread = (max(workload.times["turnlog"]) - min(workload.times["turnlog"])) / ours
    sdk, bare = medians.get("sdk"), medians.get("bare")
    cells = [
        f"{workload.name:<44}",
        f"{ours * 1e6:>12,.0f}",
        f"{sdk * 1e6:>12,.0f}" if sdk else f"{'':>12}",
        f"{bare * 1e6:>12,.0f}" if bare else f"{'':>12}",
        f"{sdk / ours:>8.2f} x" if sdk else f"{'':>10}",
        f"{bare / ours:>8.0%}" if bare else f"{'':>8}",
        f"{spread:>8.0%}",
        f"  {workload.goal}",
    ]
    return " ".join(cells)
