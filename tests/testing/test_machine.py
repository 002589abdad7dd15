"""`stores_agree`: it finds defects, and our stores agree."""

from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.testing.defective_stores import DEFECTS
from turnlog.store import Layer, Store
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing import MakeStore, stores_agree

pytestmark = pytest.mark.slow


async def _memory() -> Store:
    return MemoryStore()


async def _layered() -> Store:
    return Layer(MemoryStore())


@pytest.fixture
def sqlite(tmp_path: Path) -> MakeStore:
    numbers = count()

    async def make() -> Store:
        return SQLiteStore(tmp_path / f"{next(numbers)}.db")

    return make


def test_sqlite_agrees_with_memory(sqlite: MakeStore) -> None:
    stores_agree(_memory, sqlite)


def test_a_layer_agrees_with_its_store() -> None:
    stores_agree(_memory, _layered)


@pytest.mark.parametrize(
    "defective",
    [
        "Reorders",
        "LosesTheLastOfABatch",
        "ReusesPositions",
        "IgnoresExpect",
        "ReportsTheWrongEnd",
        "ReportsTheLastConflict",
        "RemovesWithoutExpecting",
        "ForgetsWithoutExpecting",
        "IgnoresTheExpectedNote",
        "ChecksNothing",
        "DeletesWithoutExpecting",
        "CommitsOneChangeAfterAnother",
        "AllowsContradictions",
        "StoresTwiceUnderAKey",
        "IgnoresBriefKeys",
        "IgnoresDigests",
        "NeverTellsOfAReplay",
        "KeepsOnePositionOfAKey",
        "KeepsKeysOfWritingNothing",
        "ForgetsKeysWithTheRecords",
        "ForgetsKeysWithTheLog",
        "IgnoresCuts",
        "IgnoresTimes",
        "ReplacesNothing",
        "ReplacesTheFirstOnly",
        "ReplacesWhateverIsThere",
        "TakesAReplacedRecordForOneThatIsGone",
        "OrdersByTime",
        "ForgetKeepsTheNote",
        "ForgetsNothing",
        "ForgetsTheEmptyLog",
        "LosesTheNote",
        "MakesASessionOfNothing",
        "MovesTheTimeOfMainWithEveryLog",
        "ShowsTheOldest",
        "ShowsTheNewest",
        "TakesAPrefixForAPattern",
        "ListsTheNewestFirstAlways",
        "TurnsThePageRound",
        "DeletesTooMuch",
    ],
)
def test_a_planted_defect_is_found(defective: str) -> None:
    async def make() -> Store:
        return DEFECTS[defective]()

    # The same runs each time, and no search for the shortest.
    searching = settings(
        max_examples=300,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
    )
    with pytest.raises(AssertionError):
        stores_agree(_memory, make, settings=searching)
