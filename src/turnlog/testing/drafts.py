"""Drafts of changes: random commits, with ranks and beliefs in place of positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove, Replace

__all__ = [
    "BEYOND",
    "NAMES",
    "SESSIONS",
    "TIMES",
    "Draft",
    "appends",
    "beliefs",
    "bounds",
    "drafts",
    "ids",
    "keys",
    "limits",
    "names",
    "others",
    "ranks",
]

# Few names, so that many calls concern the same log; one of them is the most frequent.
SESSIONS = ("a", "a%", "ab")
NAMES = ("main", ":usage")
BEYOND = 10**30
#: Times that no clock shows now. Some stores keep whole seconds only.
TIMES = (86_400.0, 1_000_000_000.0)
NOTES = (b"", b"note", b"\x00\xff")

ids = st.just(SESSIONS[0]) | st.sampled_from(SESSIONS)
names = st.sampled_from(NAMES)
payloads = st.sampled_from([b"", b"1", b"\x00\xff", b"{}"])
timed = st.tuples(payloads, st.none() | st.sampled_from(TIMES))
limits = st.none() | st.integers(0, 5)
# A rank in a log: before all records, at one that it has or had, or past all of them.
ranks = st.integers(0, 6)
bounds = st.none() | ranks
# Where a writer believes the log to end, for `expect`. Most are right, or nothing would happen.
beliefs = st.sampled_from(
    [None, None, "at its end", "at its end", "empty", "where it ended before", "beyond"]
)


class Draft(NamedTuple):
    """A change with ranks and beliefs in place of positions, which differ between the stores."""

    kind: type[Change]
    log: str
    belief: str | None = None
    batch: Sequence[tuple[bytes, float | None]] = ()
    timed: bool = False
    after: int | None = None
    before: int | None = None
    note: bytes = b""
    expect: bytes | None = None
    #: Of a `Replace`: which records, and what it believes of them.
    places: Sequence[int] = ()
    old: str | None = None


def _drafts(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Draft]:
    return st.fixed_dictionaries(fields).map(lambda drawn: Draft(**drawn))


appends = _drafts(
    kind=st.just(Append),
    log=names,
    belief=beliefs,
    batch=st.lists(timed, max_size=4),
    timed=st.booleans(),
    after=st.none() | st.none() | ranks,
)
removes = _drafts(kind=st.just(Remove), log=names, belief=beliefs, after=ranks, before=bounds)
annotates = _drafts(
    kind=st.just(Annotate),
    log=names,
    note=st.sampled_from(NOTES),
    expect=st.none() | st.sampled_from(NOTES),
)
replaces = _drafts(
    kind=st.just(Replace),
    log=names,
    belief=st.none() | st.none() | beliefs,
    batch=st.lists(timed, min_size=3, max_size=3),
    places=st.lists(ranks, max_size=3),
    old=st.sampled_from(["known", "known", "unknown", "anywhere"]),
)
checks = _drafts(kind=st.just(Check), log=names, belief=beliefs)
# Most of these meet no condition, so that what a log had is often forgotten.
forgets = _drafts(kind=st.just(Forget), log=names, belief=st.none() | beliefs)
others = removes | annotates | checks | forgets | replaces
# Some contradict each other; most lists are of what a commit can do at once.
at_once = st.lists(
    appends | others,
    min_size=2,
    max_size=3,
    unique_by=lambda draft: (draft.kind is Annotate, draft.log),
)
drafts = at_once | at_once | st.lists(appends | others, max_size=3)
# Of two digests, one differs from the other; no digest fits both. A name is brief or is not: to
# change that between two tries would be a mistake, of which no store promises anything.
digests = st.sampled_from([b"", b"1", b"2"])
named = st.sampled_from([("k", False), ("", False), ("brief", True)])
keys = st.none() | st.builds(lambda name, digest: Key(name[0], digest, name[1]), named, digests)
