"""Places: records that stand where they were not written are found, and no others."""

import itertools
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlog.layers.encryption.places import Placed, misplaced


class _History:
    """A log as a store keeps it: appends, with gaps between positions or without, and removals."""

    def __init__(self, chance: Random, gap: int) -> None:
        self._chance = chance
        self._gap = gap
        self._next = 1
        self.records: list[Placed] = []

    @property
    def end(self) -> int:
        return self.records[-1].position if self.records else 0

    def append(self) -> None:
        base = self.end
        if self.records and self._chance.random() < 0.2:  # a cut, in the same commit
            del self.records[self._chance.randrange(len(self.records)) :]
        for ordinal in range(self._chance.randint(1, 5)):
            self._next += self._chance.randint(0, self._gap)
            self.records.append(Placed(self._next, base, ordinal))
            self._next += 1

    def remove(self) -> None:
        first, last = sorted(self._chance.choices(range(len(self.records) + 1), k=2))
        del self.records[first:last]

    def pop(self) -> None:
        del self.records[-1:]


def history(seed: int, steps: int = 25) -> list[Placed]:
    chance = Random(seed)
    made = _History(chance, gap=chance.choice([0, 0, 7]))
    for _ in range(steps):
        chance.choices([made.append, made.pop, made.remove], [6, 3, 1])[0]()
    return made.records


def put(records: Sequence[Placed], at: Sequence[int]) -> list[Placed]:
    """`records` in another order, at the same positions."""
    moved = zip(records, at, strict=True)
    return [
        record._replace(position=records[n].position)
        for n, (_, m) in enumerate(moved)
        for record in [records[m]]
    ]


def swapped(records: Sequence[Placed], first: int, second: int) -> list[Placed]:
    order = [*range(len(records))]
    order[first], order[second] = second, first
    return put(records, order)


@given(seed=st.integers(0, 2**32), data=st.data())
def test_nothing_is_found_in_a_history(seed: int, data: st.DataObject) -> None:
    """In all of it, in any window, and in any selection."""
    records = history(seed)
    assert misplaced(records) == set()
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(records))] * 2)))
    assert misplaced(records[first:last]) == set()
    assert misplaced([each for each in records if data.draw(st.booleans())]) == set()


@given(seed=st.integers(0, 2**32), data=st.data())
def test_what_remains_is_in_the_order_in_which_it_was_written(
    seed: int, data: st.DataObject
) -> None:
    """After any rearrangement, with copies: the records that remain have grown in this order."""
    records = history(seed)
    order = data.draw(st.lists(st.integers(0, max(0, len(records) - 1)), max_size=12))
    moved = [
        records[m]._replace(position=10 * n + 5) for n, m in enumerate(order if records else [])
    ]
    wrong = misplaced(moved)
    right = [each for each in moved if each.position not in wrong]
    assert misplaced(right) == set()
    places = [(each.base, each.ordinal) for each in right]
    assert places == sorted(set(places))
    assert _fewest(moved) == len(wrong)


def _fewest(records: Sequence[Placed]) -> int:
    """How many records have to go until each of the others can follow the one before it."""
    for count in range(len(records) + 1):
        for gone in itertools.combinations(range(len(records)), count):
            if _is_legal([each for n, each in enumerate(records) if n not in gone]):
                return count
    raise AssertionError


def _is_legal(records: Sequence[Placed]) -> bool:
    return all(each.position > each.base for each in records) and all(
        second.base >= first.position
        or (second.base == first.base and second.ordinal > first.ordinal)
        for first, second in itertools.pairwise(records)
    )


def appended(count: int, size: int) -> list[Placed]:
    """`count` appends of `size` records each, without gaps."""
    return [Placed(size * n + m + 1, size * n, m) for n in range(count) for m in range(size)]


@given(first=st.integers(0, 29), second=st.integers(0, 29), size=st.sampled_from([1, 5, 30]))
def test_of_two_swapped_records_both_are_found(first: int, second: int, size: int) -> None:
    """Of two neighbours in one append, one is: without it, the order of all others is right.

    At the border of two appends, both are: one stands before its base, the other behind that of
    the records that follow.
    """
    records = appended(30 // size, size)
    if first == second:
        return
    wrong = misplaced(swapped(records, first, second))
    if abs(first - second) == 1 and (size == 1 or first // size == second // size):
        assert len(wrong) == 1
        assert wrong < {first + 1, second + 1}
    elif abs(first - second) == 2 and first // size == second // size:
        assert len(wrong) == 2  # of the three, any one can remain
    else:
        assert wrong == {first + 1, second + 1}


@given(origin=st.integers(0, 29), target=st.integers(0, 29), size=st.sampled_from([1, 5]))
def test_a_copy_in_the_place_of_another_is_found(origin: int, target: int, size: int) -> None:
    records = appended(30 // size, size)
    if origin == target:
        return
    copied = [*records]
    copied[target] = records[origin]._replace(position=records[target].position)
    wrong = misplaced(copied)
    if abs(origin - target) == 1 or origin // size == target // size:
        # Either may be taken for the copy: they have the same contents.
        assert wrong in ({target + 1}, {origin + 1})
    else:
        assert wrong == {target + 1}


@pytest.mark.parametrize("size", [1, 5])
def test_a_copy_at_the_end_is_found(size: int) -> None:
    records = appended(6, size)
    end = records[-1].position + 1
    for origin in records[:-1]:
        assert misplaced([*records, origin._replace(position=end)]) == {end}
    # Of the very last one, the copy directly behind it has the same place and contents.
    assert len(misplaced([*records, records[-1]._replace(position=end)])) == 1


def test_a_popped_record_that_is_put_back_is_found_beside_its_successor() -> None:
    """Both had the same place. The newer one remains."""
    popped, newer = Placed(4, 3, 0), Placed(5, 3, 0)
    before = [Placed(n, n - 1, 0) for n in (1, 2, 3)]
    assert misplaced([*before, popped, newer]) == {4}
    assert misplaced([popped, newer]) == {4}
    assert misplaced([*before, newer]) == set()
    # Without its successor it can't be told from one that was never popped.
    assert misplaced([*before, popped]) == set()


def test_a_record_before_its_own_base_is_found() -> None:
    assert misplaced([Placed(3, 7, 0)]) == {3}
    assert misplaced([Placed(7, 7, 0)]) == {7}
    assert misplaced([]) == set()


def test_many_records_take_no_longer_than_their_number() -> None:
    records = appended(2_000, 10)
    assert misplaced(put(records, [*range(1, len(records)), 0])) >= {len(records)}
