"""The page on writing a store: its code keeps the contract as it is printed."""

import re

import pytest

from tests import ROOT

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "write-a-store.md"


def _modules() -> dict[str, str]:
    """The page's code blocks, by the file name that each is labelled with."""
    block = re.compile(r'^```python title="(\w+\.py)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    return dict(block.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture
def stranger(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with the page's code in it and nothing else."""
    for name, code in _modules().items():
        pytester.makepyfile(**{name.removesuffix(".py"): code})
    pytester.syspathinsert()
    return pytester


def test_the_page_labels_its_code() -> None:
    assert list(_modules()) == ["json_store.py", "test_json_store.py"]


def test_the_store_on_the_page_passes(stranger: pytest.Pytester) -> None:
    outcomes = stranger.runpytest_inprocess("-q", "-p", "no:cacheprovider").parseoutcomes()
    assert outcomes["passed"] > 380
    assert set(outcomes) == {"passed"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("check_conditions(session, changes, talk.ends(), talk.notes(), talk.payloads)", "pass"),
        ("if record[0] in payloads:", "if False:"),
        ('self._all["last"] += 1', 'self._all["last"] = len(str(self._all))'),
        ("fcntl.flock(lock, fcntl.LOCK_EX)", "pass"),
        ("return await finished(", "return await asyncio.shield("),
        ("talk.keep(key, done)", "pass"),
        ("key.check_digest(bytes.fromhex(digest))", "pass"),
        ("if cut is not None:", "if False:"),
        ("h.cursor > after if oldest else", "h.cursor < after if oldest else"),
    ],
)
def test_a_slip_in_copying_it_is_noticed(stranger: pytest.Pytester, right: str, wrong: str) -> None:
    module = stranger.path / "json_store.py"
    code = module.read_text()
    assert right in code
    module.write_text(code.replace(right, wrong))
    outcomes = stranger.runpytest_inprocess("-q", "-x", "-p", "no:cacheprovider").parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) > 0
