"""A stand-in for a Dapr sidecar, for tests.

It serves the state part of the published protocol (dapr.proto.runtime.v1) over gRPC, and
the health check over HTTP that the client makes. Its component is a dict with etags and
times to live. It fails on demand, and it counts the bytes that are written.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import grpc  # type: ignore[import-untyped, unused-ignore]  # its stubs are a package of their own
from dapr.proto import api_service_v1, api_v1, common_v1
from google.protobuf.empty_pb2 import (  # type: ignore[import-untyped, unused-ignore]  # as gRPC
    Empty,
)

from tests.servers.ports import free_port

__all__ = ["STORE", "Fault", "Sidecar", "well"]

STORE = "statestore"
_FIRST_WRITE = common_v1.StateOptions.CONCURRENCY_FIRST_WRITE


@dataclass
class Kept:
    """A document of the component."""

    data: bytes
    etag: str
    expires: float | None
    ttl: int | None


@dataclass(frozen=True)
class Fault:
    """How one call fails.

    happened: whether the component did the work before the call failed.
    """

    status: str
    text: str = "made to fail"
    happened: bool = False


#: Told the verb and the keys of a call, says how it fails; None if it doesn't.
Plan: TypeAlias = Callable[[str, list[str]], Fault | None]


def well(verb: str, keys: list[str]) -> Fault | None:
    """The plan in which no call fails."""
    return None


@dataclass
class Component:
    """The documents of a state store; they outlive the sidecar."""

    documents: dict[str, Kept] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: Seconds that are added to the clock, to see documents expire.
    later: float = 0.0
    versions: int = 0
    bytes_written: int = 0
    verbs: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        with self.lock:
            self.documents.clear()
            self.verbs.clear()
            self.bytes_written = 0
            self.later = 0.0

    def find(self, key: str) -> Kept | None:
        kept = self.documents.get(key)
        if kept is not None and kept.expires is not None and kept.expires <= self.now():
            del self.documents[key]
            return None
        return kept

    def now(self) -> float:
        return time.monotonic() + self.later

    def save(self, item: common_v1.StateItem) -> None:
        self.check(item)
        ttl = int(item.metadata["ttlInSeconds"]) if "ttlInSeconds" in item.metadata else None
        self.versions += 1
        self.bytes_written += len(item.key) + len(item.value)
        expires = None if ttl is None else self.now() + ttl
        self.documents[item.key] = Kept(item.value, str(self.versions), expires, ttl)

    def delete(self, item: common_v1.StateItem | api_v1.DeleteStateRequest) -> None:
        if self.find(item.key) is not None:
            self.check(item)
            del self.documents[item.key]

    def check(self, item: common_v1.StateItem | api_v1.DeleteStateRequest) -> None:
        """Refuse an etag that is not the document's, and a first write that isn't one."""
        if "||" in item.key:
            raise Refused("INVALID_ARGUMENT", "input key can't contain '||'")
        kept = self.find(item.key)
        etag = item.etag.value if item.HasField("etag") else ""
        if etag and (kept is None or kept.etag != etag):
            raise Refused("ABORTED", f"failed saving state in state store {STORE}: etag mismatch")
        if not etag and kept is not None and item.options.concurrency == _FIRST_WRITE:
            # As Redis answers: without an etag, it is not known to be a mismatch of one.
            raise Refused("INTERNAL", f"failed saving state: failed to set key {item.key}")


class Refused(Exception):
    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


class Servicer(api_service_v1.DaprServicer):
    """The state verbs of the protocol."""

    def __init__(self, component: Component, sidecar: Sidecar) -> None:
        self.component = component
        self.sidecar = sidecar

    def GetState(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        with self._verb("GetState", request, [request.key], context):
            kept = self.component.find(request.key)
            return _answer(api_v1.GetStateResponse, kept)

    def GetBulkState(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._verb("GetBulkState", request, list(request.keys), context):
            items = [
                _answer(api_v1.BulkStateItem, self.component.find(key), key=key)
                for key in request.keys
            ]
            return api_v1.GetBulkStateResponse(items=items)

    def SaveState(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._verb("SaveState", request, [item.key for item in request.states], context):
            for item in request.states:
                self.component.save(item)
            return Empty()

    def DeleteState(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._verb("DeleteState", request, [request.key], context):
            self.component.delete(request)
            return Empty()

    def DeleteBulkState(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._verb("DeleteBulkState", request, [i.key for i in request.states], context):
            for item in request.states:
                self.component.delete(item)
            return Empty()

    def ExecuteStateTransaction(self, request: Any, context: Any) -> Any:  # noqa: N802
        keys = [operation.request.key for operation in request.operations]
        with self._verb("ExecuteStateTransaction", request, keys, context):
            if not self.sidecar.transactions:
                raise Refused("UNIMPLEMENTED", "state store doesn't support transactions")
            for operation in request.operations:
                self.component.check(operation.request)
            for operation in request.operations:
                if operation.operationType == "delete":
                    self.component.delete(operation.request)
                else:
                    self.component.save(operation.request)
            return Empty()

    def GetMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return api_v1.GetMetadataResponse(id="stand-in")

    @contextmanager
    def _verb(self, verb: str, request: Any, keys: list[str], context: Any) -> Iterator[None]:
        """Run one call at a time; it fails as planned, before or after the work is done."""
        component = self.component
        with component.lock:
            component.verbs[verb] += 1
            name = getattr(request, "store_name", "") or getattr(request, "storeName", "")
            if name != STORE:
                _abort(context, "INVALID_ARGUMENT", f"state store {name} is not found")
            fault = self.sidecar.plan(verb, keys)
            if fault is not None and not fault.happened:
                _abort(context, fault.status, fault.text)
            try:
                yield
            except Refused as refused:
                _abort(context, refused.status, str(refused))
            if fault is not None:
                _abort(context, fault.status, fault.text)


def _answer(kind: Any, kept: Kept | None, **fields: str) -> Any:
    return kind(**fields) if kept is None else kind(data=kept.data, etag=kept.etag, **fields)


def _abort(context: Any, status: str, text: str) -> None:
    context.abort(getattr(grpc.StatusCode, status), text)


class HealthServer(ThreadingHTTPServer):
    request_queue_size = 64


class Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204 if self.path == "/v1.0/healthz/outbound" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's name
        pass


class Sidecar:
    """The stand-in, on a port that it keeps when it dies and starts again."""

    def __init__(self, *, transactions: bool = False) -> None:
        self.component = Component()
        self.transactions = transactions
        self.plan: Plan = well
        self.port = free_port()
        self._server: Any = None
        self._health = HealthServer(("127.0.0.1", 0), Health)
        self._thread = threading.Thread(target=self._health.serve_forever, args=(0.01,))
        self._thread.start()
        self.http_port = self._health.server_address[1]
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._pool = ThreadPoolExecutor(8)
        self._server = grpc.server(self._pool, options=[("grpc.so_reuseport", 0)])
        servicer = Servicer(self.component, self)
        add = api_service_v1.add_DaprServicer_to_server
        add(servicer, self._server)  # type: ignore[no-untyped-call]  # made by a generator
        self._server.add_insecure_port(self.address)
        self._server.start()

    def die(self) -> None:
        """Stop at once, even during calls; the documents stay."""
        assert self._server.stop(None).wait(240), "the stand-in for a sidecar does not stop"
        self._pool.shutdown()

    def close(self) -> None:
        self.die()
        self._health.shutdown()
        self._thread.join()
        self._health.server_close()
