"""Forwarding: a layer passes on every verb with every argument, and returns what it gets.

The verbs and their arguments are read from the contract, so that a new one is tested too.
"""

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast, get_args

import pytest
from opentelemetry.sdk.trace import TracerProvider

from turnlog.changes import Annotate, Append, Change, Check, Committed, Forget, Key, Remove, Replace
from turnlog.layers.traced import Traced
from turnlog.records import Log, Records
from turnlog.store import Call, Layer, Store, T
from turnlog.testing import Failing

pytestmark = pytest.mark.anyio

#: The verbs that a store has to have, and those written once over `commit`.
VERBS = sorted(Store.__abstractmethods__ - {"identity"})
DERIVED = ["annotate", "append", "remove"]

CHANGES: list[Change] = [
    Append("a", [b"1"], 1, 2, [3.0]),
    Remove("b", 1, 2, 3),
    Annotate("c", b"1", b"2"),
    Forget("d", 1),
    Check("e", 1),
    Replace("f", [1], [b"1"], [b"2"], 3),
]
RESULTS: dict[str, object] = {
    "commit": Committed((1, 2, 3, 4, 5, 6), replayed=True),
    "read": Records([1], [b"1"], [1.0]),
    "logs": [],
    "sessions": [],
    "delete": None,
    "aclose": None,
}

LAYERS: list[Callable[[Store], Store]] = [
    Layer,
    lambda inner: Layer(Layer(inner)),
    Failing,
    lambda inner: Traced(inner, tracer_provider=TracerProvider(shutdown_on_exit=False)),
]


class _Argument:
    """A value that is equal to itself alone."""


class _Recorder:
    """Notes the calls of a store that it makes, and answers with `RESULTS`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []

    def store(self) -> Store:
        verbs = {verb: self._verb(verb) for verb in VERBS}
        made = type("Recording", (Store,), {**verbs, "identity": property(lambda _: self)})
        store: Store = made()
        return store

    def _verb(self, verb: str) -> Callable[..., Coroutine[Any, Any, object]]:
        signature = inspect.signature(getattr(Store, verb))

        async def answer(*args: object, **named: object) -> object:
            given = signature.bind(*args, **named).arguments
            self.calls.append((verb, {name: given[name] for name in given if name != "self"}))
            return RESULTS[verb]

        return answer


def _arguments(verb: str) -> dict[str, Any]:
    """A value of its own for every argument of a verb."""
    names = [name for name in inspect.signature(getattr(Store, verb)).parameters if name != "self"]
    return {name: CHANGES if name == "changes" else _Argument() for name in names}


def _bound(verb: str, arguments: dict[str, Any]) -> inspect.BoundArguments:
    return inspect.signature(getattr(Store, verb)).bind(None, **arguments)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("layer", LAYERS, ids=["Layer", "two", "Failing", "Traced"])
async def test_every_argument_arrives(layer: Callable[[Store], Store], verb: str) -> None:
    recorder = _Recorder()
    store = layer(recorder.store())
    arguments = _arguments(verb)
    bound = _bound(verb, arguments)
    assert await getattr(store, verb)(*bound.args[1:], **bound.kwargs) is RESULTS[verb]
    [(called, received)] = recorder.calls
    assert (called, received) == (verb, arguments)


@pytest.mark.parametrize("layer", LAYERS, ids=["Layer", "two", "Failing", "Traced"])
def test_identity_is_that_of_the_store(layer: Callable[[Store], Store]) -> None:
    recorder = _Recorder()
    assert layer(recorder.store()).identity is recorder


@pytest.mark.parametrize("verb", VERBS)
async def test_every_verb_goes_through_the_hook(verb: str) -> None:
    seen: list[tuple[str, int]] = []

    class Watching(Layer):
        async def around(self, call: Call[T]) -> T:
            seen.append((call.verb, len(recorder.calls)))
            result = await call()
            seen.append((call.verb, len(recorder.calls)))
            return result

    recorder = _Recorder()
    bound = _bound(verb, _arguments(verb))
    await getattr(Watching(recorder.store()), verb)(*bound.args[1:], **bound.kwargs)
    assert seen == [(verb, 0), (verb, 1)]


def test_every_kind_of_change_is_passed_on_here() -> None:
    assert [type(change) for change in CHANGES] == list(get_args(Change))
    assert set(RESULTS) == set(VERBS)
    for change in CHANGES:
        defaults = type(change)._field_defaults
        assert not [name for name in defaults if getattr(change, name) == defaults[name]]


def test_every_verb_is_either_the_stores_own_or_derived() -> None:
    coroutines = {n for n, f in vars(Store).items() if inspect.iscoroutinefunction(f)}
    assert {name for name in coroutines if not name.startswith("_")} == {*VERBS, *DERIVED}


@pytest.mark.parametrize("verb", DERIVED)
async def test_every_argument_of_a_derived_verb_is_committed(verb: str) -> None:
    recorder = _Recorder()
    arguments = {**_arguments(verb), "log": Log("session", "name")}
    bound = _bound(verb, arguments)
    await getattr(Layer(recorder.store()), verb)(*bound.args[1:], **bound.kwargs)
    [(called, received)] = recorder.calls
    assert (called, received["session"]) == ("commit", "session")
    [change] = cast("list[Change]", received["changes"])
    assert type(change).__name__.lower() == verb
    found = {*change, received.get("key")}
    assert {"name", *(value for name, value in arguments.items() if name != "log")} <= found


class _Losing(Layer):
    """Forgets one thing, to see that these tests would find it."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        return await super().commit(session, changes)


async def test_a_lost_argument_is_found() -> None:
    with pytest.raises(AssertionError):
        await test_every_argument_arrives(_Losing, "commit")
