"""Missing extras: what works without them, and the error that names the one needed."""

import subprocess
import sys

import pytest

#: What a bare install lacks.
DRIVERS = "openai", "pydantic", "redis", "dapr", "sqlalchemy", "agents", "cryptography"
OPENAI = [f"agents.models.openai.{name}" for name in ("responses", "chat", "client")]
#: What needs pydantic, once it is used.
PYDANTIC = [
    "from turnlog.agents import function_tool; function_tool(print)",
    "from turnlog.agents.output import OutputType; OutputType.of(int)",
]


def _imported(module: str, *, without: str) -> str:
    return _ran(f"import turnlog.{module}", without=without)


# Nothing finds these packages, as if they had never been installed.
_BLOCK = """
import sys

class Bare:
    def __init__(self, finder):
        self.find = finder.find_spec

    def find_spec(self, name, *more):
        return None if name.partition(".")[0] in {names} else self.find(name, *more)

sys.meta_path[:] = map(Bare, sys.meta_path)
"""


def _ran(code: str, *, without: str | tuple[str, ...]) -> str:
    names = (without,) if isinstance(without, str) else without
    code = f"{_BLOCK.replace('{names}', repr(names))}\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize(
    ("code", "without"),
    [(f"import turnlog.{name}", "openai") for name in OPENAI]
    + [(code, "pydantic") for code in PYDANTIC],
)
def test_what_is_missing_is_named(code: str, without: str) -> None:
    last = _ran(code, without=without).strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert last.endswith("pip install 'turnlog[openai]'")


@pytest.mark.parametrize(
    ("driver", "package"),
    [("asyncmy", "'turnlog[mysql]'"), ("aiomysql", "aiomysql")],
    ids=["ours", "another"],
)
def test_a_missing_driver_is_named(driver: str, package: str) -> None:
    url = f"mysql+{driver}://localhost:9/chats"
    code = f"import asyncio, turnlog; asyncio.run(turnlog.open_store({url!r}).sessions())"
    last = _ran(code, without=driver).strip().splitlines()[-1]
    assert last == f"ImportError: this database needs {driver}: pip install {package}"


@pytest.mark.parametrize("without", ["openai", "pydantic"])
def test_agents_and_conversions_need_neither(without: str) -> None:
    for module in ("agents", "agents.model_names", "convert", "agents.context"):
        assert _imported(module, without=without) == ""


@pytest.mark.parametrize(
    "code",
    [
        "from turnlog import *; SQLiteSession, Runner, open_store",
        "from turnlog.extensions.memory import *; AsyncSQLiteSession",
        "import pydoc, turnlog; 'SQLiteSession' in pydoc.render_doc(turnlog) or 1 / 0",
        "import inspect, turnlog; inspect.getmembers(turnlog)",
        "import inspect, turnlog.sync; inspect.getmembers(turnlog.sync)",
        "import inspect, turnlog.extensions.memory as m; inspect.getmembers(m)",
        "import turnlog; hasattr(turnlog, 'RedisSession') and 1 / 0",
        "import turnlog; getattr(turnlog, 'AsyncOpenAI', None) is None or 1 / 0",
        "import turnlog.sync as s; hasattr(s, 'DaprSession') and 1 / 0",
        "import turnlog; {'RedisSession', 'AsyncOpenAI'} & set(turnlog.__all__) and 1 / 0",
        "import turnlog; 'RedisSession' in dir(turnlog) and 1 / 0",
        "import turnlog; {'Encrypted', 'Keyring', 'Passphrase'} & set(dir(turnlog)) and 1 / 0",
        "from turnlog import KeyProvider, WrongKey",
        "import turnlog.cli.keygen",
    ],
)
def test_a_bare_install_can_be_looked_at(code: str) -> None:
    assert _ran(code, without=DRIVERS) == ""


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("turnlog import RedisSession", "redis"),
        ("turnlog import SQLAlchemySession", "postgresql"),
        ("turnlog import DaprSession", "dapr"),
        ("turnlog import OpenAIResponsesModel", "openai"),
        ("turnlog import Encrypted", "encrypt"),
        ("turnlog import Keyring", "encrypt"),
        ("turnlog import Passphrase", "encrypt"),
        ("turnlog import OpenAIConversationsSession", "openai"),
        ("turnlog.memory import OpenAIConversationsSession", "openai"),
        ("turnlog.sync import OpenAIConversationsSession", "openai"),
        ("turnlog.sync import RedisSession", "redis"),
        ("turnlog.extensions.memory import RedisSession", "redis"),
    ],
)
def test_importing_a_name_says_which_extra_it_needs(name: str, extra: str) -> None:
    last = _ran(f"from {name}", without=DRIVERS).strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"pip install 'turnlog[{extra}]'" in last


def test_with_every_extra_every_name_is_listed() -> None:
    assert _ran("import turnlog; turnlog.__all__.index('RedisSession')", without="nothing") == ""


def test_an_attribute_that_needs_an_extra_says_so() -> None:
    last = _ran("import turnlog; turnlog.RedisSession", without="redis").strip().splitlines()[-1]
    assert last.startswith("AttributeError: turnlog.RedisSession is not available: ")
    assert last.endswith("pip install 'turnlog[redis]'")
