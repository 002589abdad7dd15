"""Traced layer: OpenTelemetry spans and metrics of every call of a store.

They hold no contents, session ids, log names and keys, and no texts of errors, which may quote
any of these.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from turnlog.changes import Annotate, Append, Change, Committed, Replace
from turnlog.errors import Conflict
from turnlog.records import Records
from turnlog.store import Call, Layer, Store

try:
    from opentelemetry.metrics import MeterProvider, get_meter
    from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider, get_tracer
except ImportError as error:
    raise ImportError("tracing needs OpenTelemetry: pip install 'turnlog[tracing]'") from error

__all__ = ["Traced"]

T = TypeVar("T")

Attributes = dict[str, str | int | Sequence[str]]

# Seconds. The boundaries that OpenTelemetry recommends for databases, and two more
# below them, where an embedded database lives.
_DURATIONS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)


class Traced(Layer):
    """Makes a span and measurements of every call.

    inner: the store to trace.
    system: the attribute `db.system.name`; by default the class name of the innermost
        store without "Store", in lower case: "sqlite", "redis".
    tracer_provider, meter_provider: by default OpenTelemetry's global ones.

    Spans have the kind CLIENT, are named like "turnlog commit", and carry

        db.system.name, db.operation.name, turnlog.store (the class of the innermost store)
        turnlog.outcome: "done", "replayed", "conflict", "cancelled" or "failed"
        turnlog.changes: of a commit, the kinds of its changes in their order, such as "append"
        turnlog.items: how many records were written or read; only of calls that succeeded
        turnlog.bytes: the size of what was written or read: payloads, and notes written
        db.operation.batch.size: the number of changes of a commit, from two on
        db.response.returned_rows: of a verb that reads
        error.type: the class of the error, with the status ERROR

    Only "failed" is an error. Writers expect conflicts, and the caller itself cancels. "replayed"
    means that the key of a commit was known: nothing was written then, and nothing is counted.

    Metrics are the counters `turnlog.items` and `turnlog.bytes`, with the attributes of
    the first line above, and the histogram `turnlog.operation.duration` in seconds, also with
    `turnlog.outcome` and `error.type`.
    """

    def __init__(
        self,
        inner: Store,
        *,
        system: str | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        super().__init__(inner)
        store = type(_innermost(inner)).__name__
        self._common: Attributes = {
            "db.system.name": system or store.removesuffix("Store").lower(),
            "turnlog.store": store,
        }
        self._tracer = get_tracer("turnlog", tracer_provider=tracer_provider)
        meter = get_meter("turnlog", meter_provider=meter_provider)
        self._duration = meter.create_histogram(
            "turnlog.operation.duration",
            unit="s",
            description="How long operations on the store took.",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._items = meter.create_counter(
            "turnlog.items", unit="{item}", description="Records written or read."
        )
        self._bytes = meter.create_counter(
            "turnlog.bytes", unit="By", description="Bytes written or read."
        )

    async def around(self, call: Call[T]) -> T:
        with self._watch(call) as seen:
            result = await call()
            seen.note(call, result)
            return result

    @contextmanager
    def _watch(self, call: Call[T]) -> Iterator[_Seen]:
        """A span and measurements around the block, which notes what the call moved."""
        common: Attributes = {**self._common, "db.operation.name": call.verb}
        seen = _Seen()
        start = time.perf_counter()
        with self._tracer.start_as_current_span(
            f"turnlog {call.verb}",
            kind=SpanKind.CLIENT,
            attributes=common | _described(call),
            record_exception=False,  # an error's text may hold a session id
            set_status_on_exception=False,
        ) as span:
            ended: Attributes = {}
            try:
                yield seen
                ended = {"turnlog.outcome": seen.outcome}
            except BaseException as error:
                ended = _outcome(error)
                raise
            finally:
                span.set_attributes({**ended, **seen.attributes()})
                if "error.type" in ended:
                    span.set_status(Status(StatusCode.ERROR))
                self._duration.record(time.perf_counter() - start, {**common, **ended})
                self._count(seen, common)

    def _count(self, seen: _Seen, common: Attributes) -> None:
        if seen.items is not None:
            self._items.add(seen.items, common)
        if seen.size is not None:
            self._bytes.add(seen.size, common)


@dataclass
class _Seen:
    """Amounts that a call moved; None where that is unknown or means nothing."""

    outcome: str = "done"
    items: int | None = None
    size: int | None = None
    rows: int | None = None

    def note(self, call: Call[T], result: object) -> None:
        """Note how much `call` moved, given its result."""
        match result:
            case Committed(replayed=True):
                self.outcome = "replayed"
            case Committed():
                changes = _changes(call)
                self.items = sum(len(_payloads(change)) for change in changes)
                self.size = sum(_size(change) for change in changes)
            case Records() as records:
                self.items = self.rows = len(records)
                self.size = sum(map(len, records.payloads))
            case list(heads):
                self.rows = len(heads)

    def attributes(self) -> Attributes:
        named = {
            "turnlog.items": self.items,
            "turnlog.bytes": self.size,
            "db.response.returned_rows": self.rows,
        }
        return {name: value for name, value in named.items() if value is not None}


def _changes(call: Call[T]) -> Sequence[Change]:
    return cast("Sequence[Change]", call.args[1]) if call.verb == "commit" else ()


def _payloads(change: Change) -> Sequence[bytes]:
    return change.payloads if isinstance(change, Append | Replace) else ()


def _size(change: Change) -> int:
    """How many bytes `change` writes."""
    if isinstance(change, Annotate):
        return len(change.note)
    return sum(map(len, _payloads(change)))


def _described(call: Call[T]) -> Attributes:
    """What is said of a commit, whether it succeeds or not."""
    kinds = [type(change).__name__.lower() for change in _changes(call)]
    described: Attributes = {"turnlog.changes": kinds} if kinds else {}
    return described | ({"db.operation.batch.size": len(kinds)} if len(kinds) > 1 else {})


def _outcome(error: BaseException) -> Attributes:
    match error:
        case Conflict():
            return {"turnlog.outcome": "conflict"}
        case asyncio.CancelledError():
            return {"turnlog.outcome": "cancelled"}
    return {"turnlog.outcome": "failed", "error.type": _name(type(error))}


def _name(kind: type) -> str:
    home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return home + kind.__qualname__


def _innermost(store: Store) -> Store:
    while isinstance(store, Layer):
        store = store.inner
    return store
