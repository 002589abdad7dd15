"""Blocking twins have all that the awaited classes have: methods, parameters, attributes."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import sync
from turnlog.agents.blocking import BlockingRunStream
from turnlog.agents.streaming import RunResultStreaming
from turnlog.conversation.held.holding import Held
from turnlog.conversation.turns.turn import Turn
from turnlog.sessions.conversations.turns import ConversationTurn
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore

#: Each class, and its twin.
PAIRS = {
    "StoredSession": (turnlog.StoredSession, sync.StoredSession),
    "SQLiteSession": (turnlog.SQLiteSession, sync.SQLiteSession),
    "AdvancedSQLiteSession": (turnlog.AdvancedSQLiteSession, sync.AdvancedSQLiteSession),
    "SQLAlchemySession": (turnlog.SQLAlchemySession, sync.SQLAlchemySession),
    "RedisSession": (turnlog.RedisSession, sync.RedisSession),
    "DaprSession": (turnlog.DaprSession, sync.DaprSession),
    "EncryptedSession": (turnlog.EncryptedSession, sync.EncryptedSession),
    "OpenAIConversationsSession": (
        turnlog.OpenAIConversationsSession,
        sync.OpenAIConversationsSession,
    ),
    "OpenAIResponsesCompactionSession": (
        turnlog.OpenAIResponsesCompactionSession,
        sync.OpenAIResponsesCompactionSession,
    ),
    "Store": (Store, sync.BlockingStore),
    "Turn": (Turn, sync.BlockingTurn),
    "Held": (Held, sync.BlockingHeld),
    "ConversationTurn": (ConversationTurn, sync.BlockingTurn),
    "RunResultStreaming": (RunResultStreaming, BlockingRunStream),
}

#: What runners call of a session. They take the session itself out of its twin.
FOR_RUNNERS = {"add_items_is_overridden", "run_begun", "tail"}
#: What twins call by another name.
RENAMED = {"Store": {"aclose": "close"}, "RunResultStreaming": {"cancel": "close"}}
#: Parameters that only the SDK's Runner passes.
OF_RUNNERS = {"wrapper"}
#: Called by the block behind a turn, or by iteration.
IMPLIED = {
    "Turn": {"block", "left"},
    "ConversationTurn": {"block", "left"},
    "RunResultStreaming": {"stream_events"},
}


def public(kind: type) -> Iterator[tuple[str, Any]]:
    """The public members of a class, methods and properties."""
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        if not name.startswith("_") and not isinstance(member, str):
            yield name, member


def parameters(call: Any) -> list[tuple[str, object, object]]:
    given = inspect.signature(call).parameters.values()
    return [(each.name, each.kind, each.default) for each in given if each.name not in OF_RUNNERS]


MEMBERS = [
    (pair, name)
    for pair, (kind, _) in PAIRS.items()
    for name, _ in public(kind)
    if name not in FOR_RUNNERS | IMPLIED.get(pair, set())
]


@pytest.mark.parametrize(("pair", "name"), MEMBERS)
def test_each_member_has_a_twin(pair: str, name: str) -> None:
    kind, twin = PAIRS[pair]
    other = RENAMED.get(pair, {}).get(name, name)
    theirs = inspect.getattr_static(kind, name)
    ours = inspect.getattr_static(twin, other, None)
    assert ours is not None, f"sync.{twin.__name__} has no {other}"
    assert not inspect.iscoroutinefunction(ours)
    if isinstance(theirs, property):
        assert isinstance(ours, property)
        assert ours.fset is not None or theirs.fset is None, "it can't be assigned"
    elif callable(getattr(kind, name)) and not isinstance(ours, property):
        assert parameters(getattr(twin, other)) == parameters(getattr(kind, name))


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.endswith("Session")])
def test_each_constructor_has_the_same_parameters(pair: str) -> None:
    kind, twin = PAIRS[pair]
    theirs = {name: default for name, _, default in parameters(kind)}
    for ours in overloads(twin):
        given = {name: default for name, _, default in parameters(ours) if name != "self"}
        assert given.keys() == theirs.keys()
        for name in given.keys() - {"session_id", "db_path"}:
            assert given[name] == theirs[name], name


def overloads(twin: type) -> list[Any]:
    import typing  # noqa: PLC0415 - the name of the function

    return list(typing.get_overloads(vars(twin)["__init__"])) or [twin]


def test_each_attribute_of_an_object_has_a_twin(tmp_path: Path) -> None:
    made: list[tuple[Any, Any]] = [
        (turnlog.StoredSession("s", MemoryStore()), sync.StoredSession("s", MemoryStore())),
        (
            turnlog.AdvancedSQLiteSession("s", tmp_path / "c.db"),
            sync.AdvancedSQLiteSession("s", tmp_path / "c.db"),
        ),
    ]
    for session, twin in made:
        for name in vars(session):
            if not name.startswith("_") and name != "store":
                assert getattr(twin, name) == getattr(session, name)
        assert twin.store.store is twin.session.store


def test_attributes_can_be_assigned() -> None:
    twin = sync.StoredSession("s", MemoryStore())
    twin.session_id, twin.branch = "t", "other"
    twin.session_settings = {"limit": 3}
    assert (twin.session.session_id, twin.session.branch) == ("t", "other")
    assert twin.session_settings == turnlog.SessionSettings(limit=3)
    assert not twin.closed
    assert twin.unreadable == set()


def test_a_twin_says_what_it_is() -> None:
    assert repr(sync.StoredSession("s", MemoryStore())).startswith("sync.StoredSession('s'")


# Both orders of arguments


@pytest.mark.parametrize("kind", [sync.SQLiteSession, sync.AdvancedSQLiteSession])
def test_both_orders(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    forms = [
        kind("user_123", str(path)),
        kind("user_123", path),
        kind("user_123", db_path=path),
        kind(str(path), session_id="user_123"),
        kind(path, session_id="user_123"),
        kind(db_path=path, session_id="user_123"),
    ]
    for session in forms:
        assert (session.session_id, Path(session.db_path)) == ("user_123", path)
        session.close()
    assert kind(session_id="user_123").db_path == ":memory:"


@pytest.mark.parametrize("kind", [sync.SQLiteSession, sync.AdvancedSQLiteSession])
@pytest.mark.parametrize(
    ("args", "options"),
    [
        ([], {}),
        (["conversations.db"], {}),
        (["user_123", "conversations.db"], {"session_id": "user_123"}),
        (["user_123"], {"session_id": "user_123", "db_path": "conversations.db"}),
        ([], {"db_path": "conversations.db"}),
    ],
)
def test_what_can_not_be_told_apart_names_both_forms(
    kind: Any, args: list[str], options: dict[str, str]
) -> None:
    with pytest.raises(TypeError) as caught:
        kind(*args, **options)
    name = kind.__name__
    assert f'{name}("user_123", "conversations.db")' in str(caught.value)
    assert f'{name}("conversations.db", session_id="user_123")' in str(caught.value)
    assert f'{name}(session_id="user_123")' in str(caught.value)


# Stores


def test_a_store_for_a_script(tmp_path: Path) -> None:
    with sync.open_store(tmp_path / "c.db", patience=3) as store:
        for name in ("alice", "bob"):
            sync.StoredSession(name, store).add_items([{"role": "user", "content": name}])
        assert {head.log.session for head in store.sessions()} == {"alice", "bob"}
        assert [head.log.session for head in store.sessions(prefix="a")] == ["alice"]
        [head] = store.logs("alice")
        assert len(store.read(head.log).payloads) == 1
        store.delete("alice")
        assert store.logs("alice") == []
        log = turnlog.Log("carol")
        end = store.append(log, [b"{}", b"{}"], expect=0)
        assert store.remove(log, after=end - 1) == end - 1
        store.annotate(log, b"note")
        assert store.logs("carol")[0].note == b"note"
        assert store.commit("carol", []).positions == ()
        assert store.identity == turnlog.open_store(tmp_path / "c.db").identity
    with pytest.raises(turnlog.StoreClosed):
        store.sessions()
