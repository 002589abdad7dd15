"""Sizes of the long proofs: full in `make proof`, a sample in `make test`.

Tests that take a size from here are marked `proof`; `make proof` runs those with TURNLOG_PROOF=1.
"""

import os

__all__ = [
    "COMMITS",
    "DUELS",
    "EXAMPLES",
    "FIRST_USES",
    "FLIPS",
    "HEADER_STRIDE",
    "HISTORIES",
    "KILLED_COMMITS",
    "KILLED_WRITERS",
    "LOST_ANSWERS",
    "READS",
    "ROTATED",
    "SCHEDULES",
    "SECONDS",
    "STATES",
    "STOPS",
    "STORED_SCHEDULES",
    "STRIDE",
    "TALK",
    "TALKERS",
    "USERS",
    "WALK",
]

_IN_FULL = os.environ.get("TURNLOG_PROOF") == "1"


def _size(full: int, sample: int) -> int:
    return full if _IN_FULL else sample


#: Commits to several logs that are cancelled, or whose answer is lost.
COMMITS = _size(1_000, 40)
#: Pairs of runs in two processes that start at the same moment on one session.
DUELS = _size(200, 20)
#: Random sequences of calls on two stores whose results have to be equal.
EXAMPLES = _size(100, 15)
#: Engines in each of eight processes that first use a database without tables.
FIRST_USES = _size(25, 5)
#: Random bits that are flipped in each of 100 encrypted records.
FLIPS = _size(1_000, 10)
#: Every bit of a header is flipped, or one of so many; prime to 8, so that all bits come up.
HEADER_STRIDE = _size(1, 7)
#: Random histories.
HISTORIES = _size(10_000, 200)
#: Processes that are killed while they commit to several logs, each of three sessions at once.
KILLED_COMMITS = _size(150, 10)
#: Writers that are killed at a random moment.
KILLED_WRITERS = _size(30, 6)
#: Writes whose acknowledgement is lost.
LOST_ANSWERS = _size(200, 40)
#: Reads among eight writers.
READS = _size(1_000, 200)
#: Items of each of 32 conversations whose keys are rotated.
ROTATED = _size(200, 40)
#: Executions of one scenario in which turns are explored.
STATES = _size(2_000, 300)
#: Random schedules of sessions that compact, add and remove at the same time.
SCHEDULES = _size(1_000, 60)
#: The same on each database.
STORED_SCHEDULES = _size(1_000, 6)
#: Seconds that a program which a proof starts may take.
SECONDS = _size(3_000, 300)
#: A run is killed at every so many steps: an odd number, since steps come in pairs.
STRIDE = _size(3, 7)
#: A run is stopped in every so many of all ways; odd, as `STRIDE` is.
STOPS = _size(5, 37)
#: Turns of one long conversation with compaction.
TALK = _size(2_000, 400)
#: Users of the load test, and how many messages each of them sends.
TALKERS = (_size(200, 8), _size(5, 3))
#: Random acts on one conversation, each compared with a reference.
WALK = _size(1_500, 150)
#: Users of the SDK's Runner at once, each with requests that break off and come twice.
USERS = _size(200, 30)
