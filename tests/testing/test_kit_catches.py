"""The test kit finds the defects of defective stores, and none in a sound one."""

import inspect
import sys

import pytest

from tests.testing import defective_stores
from turnlog.testing import StoreTests

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

# A stranger's test module: no conftest, no configuration, one fixture.
MODULE = """
import pytest
from tests.testing.defective_stores import DEFECTS, Sound
from turnlog.testing import StoreTests

class TestIt(StoreTests):
    @pytest.fixture
    async def store(self):
        async with {store}() as store:
            yield store
"""


def test_a_sound_store_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MODULE.format(store="Sound"))
    outcomes = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider").parseoutcomes()
    assert outcomes["passed"] > 380
    assert "failed" not in outcomes
    assert "errors" not in outcomes


@pytest.mark.parametrize("store", defective_stores.DEFECTS)
def test_a_defect_is_found(pytester: pytest.Pytester, store: str) -> None:
    pytester.makepyfile(MODULE.format(store=f"DEFECTS[{store!r}]"))
    outcomes = pytester.runpytest_inprocess("-q", "-x", "-p", "no:cacheprovider").parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) > 0


def test_no_promise_hides_another() -> None:
    """Mixed into one class, two tests of one name would be one test."""
    names = [
        name
        for promise in StoreTests.__bases__
        for name, _ in inspect.getmembers(promise, inspect.isfunction)
    ]
    assert len(names) == len(set(names))


def test_a_missing_fixture_is_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from turnlog.testing import SessionTests, StoreTests

        class TestStore(StoreTests): ...
        class TestSession(SessionTests): ...
    """)
    result = pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*TestStore needs a fixture `store`*"])
    result.stdout.fnmatch_lines(["*TestSession needs a fixture `make_session`*"])
    assert "passed" not in result.parseoutcomes()


@pytest.mark.parametrize("missing", ["anyio", "hypothesis", "pytest"])
def test_a_missing_extra_is_named(pytester: pytest.Pytester, missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; import turnlog.testing"
    result = pytester.run(sys.executable, "-c", program)
    assert result.ret == 1
    result.stderr.fnmatch_lines(
        [f"ImportError: turnlog.testing needs {missing}: pip install 'turnlog[[]testing[]]'"]
    )
