"""Tracing: spans and metrics say what was done and how much, and never what was said."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from turnlog import Conflict, Layer, Log, Store, StoreClosed, StoredSession, sync
from turnlog.changes import (
    Annotate,
    Append,
    Change,
    Check,
    Committed,
    Forget,
    Key,
    Remove,
    Replace,
)
from turnlog.layers.traced import Traced
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio

LOG = Log("alice@example.org", "divorce")


@dataclass
class Watched:
    """A traced store, and what came out at the far end."""

    inner: Store

    def __post_init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._metrics = InMemoryMetricReader()
        self._meters = MeterProvider([self._metrics], shutdown_on_exit=False)

    @cached_property
    def store(self) -> Traced:
        return Traced(self.inner, tracer_provider=self.tracers, meter_provider=self._meters)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    @property
    def attributes(self) -> dict[str, object]:
        """Those of the last span."""
        return dict(self.spans[-1].attributes or {})

    def told(self, name: str) -> object:
        """What the last span says of `name`."""
        return self.attributes[name]

    @cached_property
    def metrics(self) -> MetricsData:
        data = self._metrics.get_metrics_data()
        assert data is not None
        return data

    def metric(self, name: str) -> dict[str, float]:
        """What was counted, or how often something was measured, by operation."""
        [metric] = [
            metric
            for resource in self.metrics.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        return {
            str((point.attributes or {})["db.operation.name"]): (
                point.count if isinstance(point, HistogramDataPoint) else point.value  # type: ignore[union-attr]  # no others are made
            )
            for point in metric.data.data_points
        }


@pytest.fixture
def watched() -> Watched:
    return Watched(MemoryStore())


async def use_every_verb(store: Store, log: Log = LOG) -> None:
    last = await store.append(log, [b"one", b"three"], key=Key("key of Alice"))
    with suppress(Conflict):
        await store.append(log, [b"late"], expect=last + 1)
    await store.read(log)
    await store.remove(log, after=last - 1)
    await store.annotate(log, b"about Alice")
    await store.logs(log.session)
    await store.sessions(prefix="alice@")
    await store.delete(log.session)
    await store.aclose()


VERBS = ["commit", "commit", "read", "commit", "commit", "logs", "sessions", "delete", "aclose"]


async def test_every_verb_makes_one_client_span(watched: Watched) -> None:
    await use_every_verb(watched.store)
    assert [span.name for span in watched.spans] == [f"turnlog {verb}" for verb in VERBS]
    assert {span.kind for span in watched.spans} == {SpanKind.CLIENT}
    for span, verb in zip(watched.spans, VERBS, strict=True):
        attributes = span.attributes or {}
        assert attributes["db.operation.name"] == verb
        assert attributes["db.system.name"] == "memory"
        assert attributes["turnlog.store"] == "MemoryStore"


def test_every_verb_is_used() -> None:
    assert set(VERBS) == Store.__abstractmethods__ - {"identity"}


async def test_a_commit_tells_how_much_it_wrote(watched: Watched) -> None:
    changes: list[Change] = [
        Append("main", [b"one", b"three"]),
        Append(":usage", [b"four"]),
        Check(":lease", 0),
    ]
    await watched.store.commit(LOG.session, changes)
    assert watched.attributes == {
        "db.system.name": "memory",
        "db.operation.name": "commit",
        "db.operation.batch.size": 3,
        "turnlog.store": "MemoryStore",
        "turnlog.changes": ("append", "append", "check"),
        "turnlog.outcome": "done",
        "turnlog.items": 3,
        "turnlog.bytes": 12,
    }
    assert watched.spans[-1].status.status_code is StatusCode.UNSET


#: How many items and bytes each kind of change is told to write.
WRITTEN: dict[type[Change], tuple[Change, int, int]] = {
    Append: (Append("main", [b"four", b"5"], cut=0, times=[1.0, None]), 2, 5),
    Remove: (Remove("main"), 0, 0),
    Annotate: (Annotate("main", b"note", expect=b""), 0, 4),
    Forget: (Forget("main"), 0, 0),
    Check: (Check("main", 0), 0, 0),
    Replace: (Replace("other", [1, 2], [b"four", b"5"], [b"1", b"2"]), 2, 5),
}


def test_every_kind_of_change_is_traced() -> None:
    assert set(WRITTEN) == set(get_args(Change))


@pytest.mark.parametrize(("change", "items", "size"), WRITTEN.values(), ids=repr)
async def test_each_kind_of_change(watched: Watched, change: Change, items: int, size: int) -> None:
    await watched.inner.append(Log(LOG.session, "other"), [b"1", b"2"])
    await watched.store.commit(LOG.session, [change])
    assert watched.told("turnlog.changes") == (type(change).__name__.lower(),)
    assert watched.told("turnlog.items") == items
    assert watched.told("turnlog.bytes") == size
    assert "db.operation.batch.size" not in watched.attributes
    with pytest.raises(ValueError, match="two changes"):
        await watched.store.commit(LOG.session, [change, change])
    assert watched.told("turnlog.changes") == (type(change).__name__.lower(),) * 2
    assert "turnlog.items" not in watched.attributes


async def test_a_replay_is_no_write(watched: Watched) -> None:
    for outcome in ("done", "replayed"):
        await watched.store.append(LOG, [b"one"], key=Key("k"))
        assert watched.told("turnlog.outcome") == outcome
    assert "turnlog.items" not in watched.attributes
    assert watched.metric("turnlog.items") == {"commit": 1}
    assert watched.metric("turnlog.bytes") == {"commit": 3}


async def test_reads_tell_how_much_they_found(watched: Watched) -> None:
    await watched.store.append(LOG, [b"one", b"two", b"three"])
    await watched.store.read(LOG, limit=2)
    assert watched.told("turnlog.items") == 2
    assert watched.told("turnlog.bytes") == 8
    assert watched.told("db.response.returned_rows") == 2
    await watched.store.logs(LOG.session)
    assert watched.told("db.response.returned_rows") == 2


async def test_metrics_add_up_by_operation(watched: Watched) -> None:
    await use_every_verb(watched.store)
    assert watched.metric("turnlog.items") == {"commit": 2, "read": 2}
    assert watched.metric("turnlog.bytes") == {"commit": 19, "read": 8}
    durations = watched.metric("turnlog.operation.duration")
    assert sorted(durations) == sorted(set(VERBS))


async def test_a_conflict_is_an_answer_and_no_error(watched: Watched) -> None:
    with pytest.raises(Conflict):
        await watched.store.append(LOG, [b"x"], expect=7)
    assert watched.told("turnlog.outcome") == "conflict"
    assert "error.type" not in watched.attributes
    assert "turnlog.items" not in watched.attributes
    assert watched.spans[-1].status.status_code is StatusCode.UNSET


class Broken(Layer):
    """Fails with a text that must not leave the process."""

    def __init__(self, inner: Store, error: BaseException) -> None:
        super().__init__(inner)
        self._error = error

    async def commit(self, *_: object, **__: object) -> Committed:
        raise self._error


async def test_a_failure_is_named_by_type_only() -> None:
    error = OSError("no room for what alice@example.org said")
    watched = Watched(Broken(MemoryStore(), error))
    with pytest.raises(OSError, match="no room") as caught:
        await watched.store.append(LOG, [b"x"])
    assert caught.value is error
    [span] = watched.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert list(span.events) == []
    assert watched.told("turnlog.outcome") == "failed"
    assert watched.told("error.type") == "OSError"


async def test_an_error_of_our_own_is_named_in_full(watched: Watched) -> None:
    await watched.store.aclose()
    with pytest.raises(StoreClosed):
        await watched.store.read(LOG)
    assert watched.told("error.type") == "turnlog.errors.StoreClosed"


async def test_cancelling_is_no_error() -> None:
    watched = Watched(Broken(MemoryStore(), asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await watched.store.append(LOG, [b"x"])
    assert watched.told("turnlog.outcome") == "cancelled"
    assert watched.spans[-1].status.status_code is StatusCode.UNSET


SECRETS = ["alice", "divorce", "Zaphod", "diary", "k3y", "about her"]


async def talk(store: Store) -> None:
    session = StoredSession("alice@example.org", store, branch="divorce")
    await session.add_items([{"role": "user", "content": "Zaphod said"}], key="k3y")
    await session.get_items()
    await session.pop_item()
    await store.annotate(LOG, b"about her diary")
    await store.sessions(prefix="alice")
    await store.logs("alice@example.org")
    await store.commit(
        "alice@example.org",
        [
            Append("divorce", [b"Zaphod"], cut=0),
            Annotate("divorce", b"her diary", expect=b"about her diary"),
            Remove("diary"),
            Forget("k3y"),
            Check("about her", 0),
        ],
        key=Key("k3y", b"Zaphod"),
    )
    await store.delete("alice@example.org")


async def clash(store: Store) -> None:
    await store.append(LOG, [b"Zaphod"], expect=99)


async def differ(store: Store) -> None:
    await store.append(LOG, [b"Zaphod"], key=Key("k3y", b"diary"))
    await store.append(LOG, [b"Zaphod"], key=Key("k3y", b"divorce"))


async def misuse(store: Store) -> None:
    await store.append(Log("alice\ud800"), [b"Zaphod"])


@pytest.mark.parametrize("work", [talk, clash, differ, misuse])
async def test_contents_and_ids_appear_nowhere(
    work: Callable[[Store], Awaitable[None]], tmp_path: Path
) -> None:
    for inner in (MemoryStore(), SQLiteStore(tmp_path / "diary.db")):
        watched = Watched(inner)
        with suppress(Conflict, ValueError):
            await work(watched.store)
        await watched.store.aclose()
        assert_silent(watched)


async def test_the_text_of_an_error_appears_nowhere() -> None:
    error = RuntimeError("alice wrote 'Zaphod' into her diary")
    error.add_note("divorce")
    watched = Watched(Broken(MemoryStore(), error))
    with pytest.raises(RuntimeError):
        await watched.store.append(LOG, [b"k3y"])
    assert_silent(watched)


def assert_silent(watched: Watched) -> None:
    spans = [json.loads(span.to_json()) for span in watched.spans]
    exported = json.dumps([spans, json.loads(watched.metrics.to_json())], ensure_ascii=False)
    assert "db.operation.name" in exported
    assert [secret for secret in SECRETS if secret in exported] == []


async def test_the_innermost_store_is_named(tmp_path: Path) -> None:
    watched = Watched(Layer(Layer(SQLiteStore(tmp_path / "c.db"))))
    await use_every_verb(watched.store)
    assert watched.told("turnlog.store") == "SQLiteStore"
    assert watched.told("db.system.name") == "sqlite"


async def test_the_system_can_be_told(watched: Watched) -> None:
    store = Traced(MemoryStore(), system="postgresql", tracer_provider=watched.tracers)
    await store.logs("a")
    assert watched.told("db.system.name") == "postgresql"


async def test_spans_lie_inside_the_callers_span(watched: Watched) -> None:
    with watched.tracers.get_tracer("app").start_as_current_span("request") as request:
        await watched.store.read(LOG)
    [read, _] = watched.spans
    assert read.parent is not None
    assert read.parent.span_id == request.get_span_context().span_id
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_spans_lie_inside_a_blocking_callers_span(watched: Watched) -> None:
    session = sync.StoredSession("a", watched.store)
    with watched.tracers.get_tracer("app").start_as_current_span("request") as request:
        session.get_items()
    *reads, _ = watched.spans
    parents = {read.parent and read.parent.span_id for read in reads}
    assert parents == {request.get_span_context().span_id}


def test_without_opentelemetry_the_error_names_the_extra() -> None:
    script = """import sys
sys.modules["opentelemetry"] = None
import turnlog, turnlog.layers
from turnlog import Layer, SQLiteSession
try:
    import turnlog.layers.traced
except ImportError as error:
    print(error)"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=250
    )
    assert "pip install 'turnlog[tracing]'" in run.stdout
