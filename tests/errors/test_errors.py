"""Every error: it travels between processes, derives from a builtin, and quotes no contents."""

import builtins
import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from turnlog import errors
from turnlog.errors import TurnlogError
from turnlog.records import Log

LOG = Log("session", "main")
SAID = [{"role": "user", "content": "my secret"}]

#: One of each kind, by its name.
ONE_OF_EACH: dict[str, TurnlogError] = {
    type(error).__name__: error
    for error in (
        errors.AppendUncertain(SAID, [*SAID, *SAID], 1),
        errors.BranchDeleted(LOG),
        errors.BranchNameUsed(LOG),
        errors.Conflict(LOG, b"my secret", b"my secret too"),
        errors.FileReplaced("a.db", is_unwritten=True),
        errors.IncompleteAppend(SAID, SAID),
        errors.InvalidItem("item.content", "a set has no JSON form"),
        errors.KeyReused(),
        errors.LeaseLost(LOG),
        errors.MaxTurnsExceeded(10),
        errors.ModelBehaviorError("the answer broke off"),
        errors.NoSuchBranch(LOG),
        errors.NoSuchRecord(LOG, 7),
        errors.NoSuchTurn(LOG, 7),
        errors.NotSupported("there are no branches"),
        errors.PopUncertain(SAID[0]),
        errors.RecordChanged(LOG, 7, is_gone=True),
        errors.SchemaError("a table is missing"),
        errors.SessionBusy(LOG),
        errors.SessionWaitTimeout(LOG, "waited 5.0 s"),
        errors.StoreClosed("SQLiteStore"),
        errors.StoreUnreachable("Redis", "localhost:6379", 2.0, "refused"),
        errors.TurnEnded(LOG, answered=True),
        errors.TurnlogError("any"),
        errors.Unreadable(LOG, 7, "its key is unknown"),
    )
}

each_error = pytest.mark.parametrize("name", errors.__all__)


def test_there_is_one_of_each() -> None:
    assert sorted(ONE_OF_EACH) == sorted(errors.__all__)


@each_error
@pytest.mark.parametrize(
    "again",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy],  # noqa: S301 - made here
    ids=["pickled", "copied"],
)
def test_it_travels(name: str, again: Callable[[Any], Any]) -> None:
    """As out of a worker process, whose errors are pickled."""
    error = ONE_OF_EACH[name]
    other = again(error)
    assert type(other) is type(error)
    assert (str(other), vars(other)) == (str(error), vars(error))


@each_error
def test_it_quotes_nothing_that_people_said(name: str) -> None:
    error = ONE_OF_EACH[name]
    assert "secret" not in f"{error} {error!r}"


@each_error
def test_the_overview_names_it_and_its_bases(name: str) -> None:
    """The tree at the top of the package."""
    entries = dict(re.findall(r"[├└]── (\w+) +\((.+?)\) ", errors.__doc__ or ""))
    bases = type(ONE_OF_EACH[name]).__bases__
    shown = [base.__name__ for base in bases if base is not TurnlogError]
    if name != "TurnlogError":
        assert entries.pop(name).split(", ") == shown


@each_error
def test_it_derives_from_the_builtin_it_resembles(name: str) -> None:
    """So that code for Python's own errors keeps working."""
    kinds = type(ONE_OF_EACH[name]).__mro__
    own = {kind for kind in kinds if vars(builtins).get(kind.__name__) is kind}
    is_root = name == "TurnlogError"
    assert bool(own - {Exception, BaseException, object}) is not is_root
