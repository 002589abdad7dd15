"""How large the long proofs are: in full in `make proof`, a sample of it in `make test`.

Tests that take a size from here are marked `proof`; `make proof` runs those with TURNLOG_PROOF=1.
"""

import os

__all__ = [
    "DUELS",
    "EXAMPLES",
    "FIRST_USES",
    "HISTORIES",
    "KILLED_WRITERS",
    "LOST_ANSWERS",
    "READS",
    "STRIDE",
]

_IN_FULL = os.environ.get("TURNLOG_PROOF") == "1"


def _size(full: int, sample: int) -> int:
    return full if _IN_FULL else sample


#: Pairs of runs in two processes that start at once on one session.
DUELS = _size(200, 20)
#: Random runs of calls on two stores that have to agree.
EXAMPLES = _size(100, 15)
#: Engines in each of eight processes that meet a database without tables.
FIRST_USES = _size(25, 5)
#: Random histories.
HISTORIES = _size(10_000, 1_000)
#: Writers that are killed at a random moment.
KILLED_WRITERS = _size(30, 6)
#: Writes whose answer is lost.
LOST_ANSWERS = _size(200, 40)
#: Reads among eight writers.
READS = _size(1_000, 200)
#: A run is killed at every step, or at each so many: an odd number, since steps come in pairs.
STRIDE = _size(1, 7)
