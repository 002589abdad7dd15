"""A fake server for OpenAI's Conversations API, on loopback, for clients of several processes.

It stores items in the full form, with ids and a status, as the published types say, and refuses
what the real one refuses. `Fault`s say which requests fail, and whether before or after they
were carried out.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests.providers.conversations_rules import (
    INCLUDED,
    Refused,
    check_items,
    check_metadata,
    full,
    verbose,
)

__all__ = ["Fault", "Server", "Stored", "Transport", "serving"]

Item = dict[str, Any]

#: The header of an answer that comes too late.
_LATE = "x-late"

_MISSING = "Conversation with id '{}' not found."


@dataclass
class Fault:
    """One request that fails.

    kind: the status of the answer; "cut" ends the connection instead, "late" answers too late
        for a client with `Transport`.
    is_done: whether the request is carried out all the same.
    """

    kind: int | Literal["cut", "late"]
    is_done: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class Transport(httpx2.AsyncHTTPTransport):
    """Raises the error of a timeout where an answer comes too late, so that no test has to wait."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if _LATE not in response.headers:
            return response
        await response.aclose()
        raise httpx2.ReadTimeout("The answer comes too late.", request=request)


@dataclass
class Stored:
    """One conversation."""

    id: str
    items: list[Item]
    metadata: dict[str, str]
    is_deleted: bool = False


class Server(ThreadingHTTPServer):
    """Listens on a port of its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.conversations: dict[str, Stored] = {}
        #: The requests so far: method and path, with the query and the body.
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        #: The API keys that came with them.
        self.keys: list[str] = []
        #: By the number of the write, counted from 0: its fault.
        self.faults: dict[int, Fault] = {}
        self.read_faults: dict[int, Fault] = {}
        #: Called before each request, with its method and path.
        self.before: Callable[[str, str], None] = _nothing
        self.is_strict = True
        #: Whether items are shown with all fields that they may have.
        self.is_verbose = False
        self.lock = threading.Lock()
        self._counts = {"write": 0, "read": 0}
        self._under_way = 0
        self._made = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self._under_way += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self._under_way -= 1

    def wait_until_idle(self) -> None:
        """Wait until no other request is under way, of a client that is gone for example."""
        while self._under_way > 1:
            time.sleep(0.001)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def only(self) -> Stored:
        [conversation] = [each for each in self.conversations.values() if not each.is_deleted]
        return conversation

    def count(self, method: str) -> int:
        return sum(each[0] == method for each in self.requests)

    def next_fault(self, method: str) -> Fault | None:
        kind = "read" if method == "GET" else "write"
        with self.lock:
            number = self._counts[kind]
            self._counts[kind] += 1
        return (self.read_faults if kind == "read" else self.faults).get(number)

    def fail(self, *faults: Fault) -> None:
        """The next writes have these faults."""
        self.faults |= dict(enumerate(faults, self._counts["write"]))

    def answer(  # noqa: PLR0911 - one for each call of the API
        self, method: str, path: list[str], query: Item, body: Item
    ) -> Item:
        """The answer; raises `Refused`."""
        with self.lock:
            match method, path:
                case "POST", ["conversations"]:
                    return self._create(body)
                case "GET", ["conversations", name]:
                    return _described(self._found(name))
                case "POST", ["conversations", name]:
                    return self._update(name, body)
                case "DELETE", ["conversations", name]:
                    self._found(name).is_deleted = True
                    return {"id": name, "deleted": True, "object": "conversation.deleted"}
                case "POST", ["conversations", name, "items"]:
                    return self._add(self._found(name), body)
                case "GET", ["conversations", name, "items"]:
                    return self._listed(self._found(name), query)
                case "GET", ["conversations", name, "items", item]:
                    return self._shown(_place(self._found(name), item)[1], query)
                case "DELETE", ["conversations", name, "items", item]:
                    found = self._found(name)
                    del found.items[_place(found, item)[0]]
                    return _described(found)
        raise Refused(f"Invalid URL ({method} /{'/'.join(path)})", status=404)

    def _create(self, body: Item) -> Item:
        _only(body, {"items", "metadata"})
        items = body.get("items") or []
        check_items(items, is_strict=self.is_strict)
        check_metadata(body.get("metadata") or {})
        made = Stored(f"conv_{self._next()}", [], body.get("metadata") or {})
        self._store(made, items)
        self.conversations[made.id] = made
        return _described(made)

    def _update(self, name: str, body: Item) -> Item:
        _only(body, {"metadata"})
        check_metadata(body["metadata"])
        found = self._found(name)
        found.metadata = body["metadata"]
        return _described(found)

    def _add(self, conversation: Stored, body: Item) -> Item:
        _only(body, {"items"})
        if not body.get("items"):
            raise Refused("Missing required parameter: 'items'.", "items")
        check_items(body["items"], is_strict=self.is_strict)
        added = self._store(conversation, body["items"])
        return _page([self._shown(item, {}) for item in added], has_more=False)

    def _store(self, conversation: Stored, items: list[Item]) -> list[Item]:
        """Add the items in their full form; all of them or none."""
        ids = {item["id"] for item in conversation.items}
        added = [full(self._referred(item), self._next()) for item in items]
        for item in added:
            if item["id"] in ids:
                raise Refused(f"Duplicate item found with id {item['id']}.", "items")
            ids.add(item["id"])
        conversation.items += added
        return added

    def _referred(self, item: Item) -> Item:
        """The item that it refers to, if it is a reference."""
        if item.get("type") != "item_reference":
            return item
        everywhere = (each for made in self.conversations.values() for each in made.items)
        found = next((each for each in everywhere if each["id"] == item["id"]), None)
        if found is None:
            raise Refused(f"Item with id '{item['id']}' not found.", "items", status=404)
        return found

    def _shown(self, item: Item, query: Item) -> Item:
        return _shown(verbose(item) if self.is_verbose else item, query)

    def _listed(self, conversation: Stored, query: Item) -> Item:
        _only(query, {"after", "include", "limit", "order"})
        limit, order = int(query.get("limit", 20)), query.get("order", "desc")
        if not 1 <= limit <= 100:
            raise Refused("Invalid 'limit': integer out of range.", "limit")
        if order not in ("asc", "desc"):
            raise Refused("Invalid 'order'.", "order")
        items = conversation.items if order == "asc" else conversation.items[::-1]
        if "after" in query:
            ids = [item["id"] for item in items]
            if query["after"] not in ids:
                raise Refused("Invalid 'after'.", "after")
            items = items[ids.index(query["after"]) + 1 :]
        return _page(
            [self._shown(item, query) for item in items[:limit]], has_more=len(items) > limit
        )

    def _found(self, name: str) -> Stored:
        found = self.conversations.get(name)
        if found is None or found.is_deleted:
            raise Refused(_MISSING.format(name), status=404)
        return found

    def _next(self) -> str:
        self._made += 1
        return f"{self._made:06}"


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs during the block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _nothing(method: str, path: str) -> None:
    """What is called before each request, unless a test says otherwise."""


def _described(conversation: Stored) -> Item:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": 1_700_000_000,
        "metadata": conversation.metadata,
    }


def _place(conversation: Stored, item_id: str) -> tuple[int, Item]:
    for place, item in enumerate(conversation.items):
        if item["id"] == item_id:
            return place, item
    raise Refused(f"Item with id '{item_id}' not found in conversation.", status=404)


def _page(items: list[Item], *, has_more: bool) -> Item:
    ends = [items[place]["id"] if items else "" for place in (0, -1)]
    return {
        "object": "list",
        "data": items,
        "first_id": ends[0],
        "last_id": ends[1],
        "has_more": has_more,
    }


def _shown(item: Item, query: Item) -> Item:
    """The item without the fields that were not asked for."""
    item = deepcopy(item)
    for name, drop in INCLUDED.items():
        if name not in query.get("include", []):
            drop(item)
    for name in query.get("include", []):
        if name not in INCLUDED:
            raise Refused(f"Invalid value: '{name}'.", "include")
    return item


def _only(given: Item, known: set[str]) -> None:
    for name in given.keys() - known:
        raise Refused(f"Unknown parameter: '{name}'.", name, "unknown_parameter")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._do("GET")

    def do_POST(self) -> None:
        self._do("POST")

    def do_DELETE(self) -> None:
        self._do("DELETE")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: what tests need to know is in `requests`."""

    def _do(self, method: str) -> None:
        url = urlsplit(self.path)
        path = url.path.removeprefix("/v1/").split("/")
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        query: Item = {name: each[-1] for name, each in parse_qs(url.query).items()}
        if include := parse_qs(url.query).get("include[]"):
            query = {**query, "include": include}
            query.pop("include[]")
        self.close_connection = True
        if path == ["idle"]:
            self.server.wait_until_idle()
            self._send(200, {}, {})
            return
        self.server.requests.append((method, url.path, {**query, **body}))
        self.server.keys.append(self.headers.get("authorization") or "")
        self.server.before(method, url.path)
        fault = self.server.next_fault(method)
        if fault is not None and not fault.is_done:
            self._fail(fault)
            return
        try:
            if not (self.headers.get("authorization") or "").startswith("Bearer "):
                raise Refused("You didn't provide an API key.", status=401)  # noqa: TRY301
            answer = self.server.answer(method, path, query, body)
        except Refused as refused:
            self._send(refused.status, refused.body, {})
            return
        if fault is None:
            self._send(200, answer, {})
        else:
            self._fail(fault)

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "late":
            self._send(200, {}, {_LATE: "yes"})
        elif fault.kind != "cut":
            body = {"error": {"message": "The server had an error.", "type": "server_error"}}
            self._send(int(fault.kind), body, fault.headers)

    def _send(self, status: int, body: Item, headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
