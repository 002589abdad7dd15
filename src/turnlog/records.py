"""Records: the name of a log, its records, and the columns that a read returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, overload

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Column", "Log", "Record", "Records", "Unopened"]

S = TypeVar("S")
T = TypeVar("T")


class Log(NamedTuple):
    """The name of one ordered run of records."""

    session: str
    #: Branches have plain names; auxiliary logs begin with ":".
    name: str = "main"

    def beside(self, purpose: str) -> Log:
        """The auxiliary log of this one for a purpose, such as ":turns" or ":turns@branch"."""
        name = f":{purpose}" if self.name == "main" else f":{purpose}@{self.name}"
        return Log(self.session, name)

    @property
    def is_volatile(self) -> bool:
        """Whether a write need not wait for the disk: ":lease", ":queue" and those of branches.

        Its newest records may be lost when the machine stops. All other promises hold.
        """
        return self.name.partition("@")[0] in _VOLATILE


#: The names of volatile logs, without their branch.
_VOLATILE = {":lease", ":queue"}


class Record(NamedTuple):
    """One entry of a log, as stored."""

    #: Grows strictly within a log and is never used again, not even after removal or deletion.
    position: int
    payload: bytes
    #: Seconds since the epoch, UTC; some stores keep whole seconds only.
    created_at: float


class Unopened(bytes):
    """A payload or note that a layer could not open: the stored bytes, and why.

    Readers leave it out like a record that can't be decoded, and never remove it.
    """

    problem: str

    def __new__(cls, stored: bytes, problem: str) -> Self:
        unopened = super().__new__(cls, stored)
        unopened.problem = problem
        return unopened


class Records(Sequence[Record]):
    """The records that a read found, oldest first.

    They are kept as columns: to make an object of each of ten thousand rows would cost
    more than to read them.
    """

    __slots__ = ("payloads", "positions", "times")

    def __init__(
        self, positions: Sequence[int], payloads: Sequence[bytes], times: Sequence[float]
    ) -> None:
        self.positions = positions
        self.payloads = payloads
        self.times = times

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """The same records, for stores that hold them one by one."""
        return cls(
            [record.position for record in records],
            [record.payload for record in records],
            [record.created_at for record in records],
        )

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            return Records(self.positions[index], self.payloads[index], self.times[index])
        return Record(self.positions[index], self.payloads[index], self.times[index])

    def __iter__(self) -> Iterator[Record]:
        return map(Record, self.positions, self.payloads, self.times)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # equal to a list, which has none

    def __repr__(self) -> str:
        return f"<{len(self)} records>"


class Column(Sequence[T], Generic[S, T]):
    """A column whose values are computed from the stored ones when they are asked for."""

    def __init__(self, stored: Sequence[S], read: Callable[[S], T]) -> None:
        self._stored = stored
        self._read = read

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Column[S, T]: ...
    def __getitem__(self, index: int | slice) -> T | Column[S, T]:
        if isinstance(index, slice):
            return Column(self._stored[index], self._read)
        return self._read(self._stored[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._read, self._stored)
