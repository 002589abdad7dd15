"""A fake server for OpenAI's Responses (with compaction) and Chat Completions APIs, on loopback.

It refuses what the real one refuses (`openai_rules`), streams its answers as the real one does
(`openai_events`), and takes each answer from a script: one entry for each request that it accepts.
"""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.providers.openai_events import (
    chat_events,
    compacted,
    completion,
    response,
    response_events,
)
from tests.providers.openai_rules import Refused, Rules
from turnlog.items.json import Item

__all__ = ["Failing", "Raw", "Reply", "Request", "Server", "serving"]


@dataclass(frozen=True)
class Reply:
    """An answer: output items for Responses, the fields of a message for Chat Completions.

    status: "completed", "incomplete" or "failed".
    until: how many stream events are sent before the stream ends; None for all of them.
    dropped: it ends because the connection broke, not by itself.
    held: waited for once those events are sent.
    """

    output: list[Item] = field(default_factory=list)
    message: Item = field(default_factory=dict)
    status: str = "completed"
    until: int | None = None
    dropped: bool = False
    held: threading.Event | None = None


@dataclass(frozen=True)
class Raw:
    """Raw bytes with status 200, as a server of another kind might answer."""

    body: bytes
    kind: str = "application/json"


@dataclass(frozen=True)
class Failing:
    """A failure of the server itself, before it reads the request."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "The server had an error"


@dataclass(frozen=True)
class Request:
    """A request of a client."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Server(ThreadingHTTPServer):
    """Listens on a port of its own and answers as its script says."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, rules: Rules) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rules = rules
        self.script: deque[Reply | Failing | Raw] = deque()
        self.requests: list[Request] = []
        #: Set when a client has hung up in the middle of a stream.
        self.hung_up = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def says(self, *replies: Reply | Failing | Raw) -> None:
        self.script.extend(replies)

    def answer(self, request: Request) -> Reply | Raw:
        """The next entry of the script; raises `Refused` if the rules or the script say so."""
        self.requests.append(request)
        if self.script and isinstance(self.script[0], Failing):
            failing = self.script.popleft()
            assert isinstance(failing, Failing)
            raise Refused(failing.message, status=failing.status, **failing.headers)
        if not request.headers.get("authorization", "").startswith("Bearer "):
            raise Refused("You didn't provide an API key.", status=401)
        self.rules.check(request.path, request.body)
        if not self.script:
            raise Refused("The script is over", status=501)
        reply = self.script.popleft()
        assert not isinstance(reply, Failing)
        if isinstance(reply, Reply) and request.path.endswith("/responses"):
            self.rules.store(reply.output, stored=request.body.get("store", True))
        return reply


@contextmanager
def serving(**rules: Any) -> Iterator[Server]:
    """A server that runs during the block."""
    server = Server(Rules(**rules))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, body)
        self.close_connection = True
        try:
            reply = self.server.answer(request)
        except Refused as refused:
            self._send(refused.status, refused.body, refused.headers)
            return
        if isinstance(reply, Raw):
            self._write(200, reply.kind, reply.body, {})
        elif body.get("stream"):
            self._stream(reply, request)
        else:
            if reply.held:
                reply.held.wait()
            self._send(200, self._whole(reply, request), {})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: what tests need to know is in `requests`."""

    def _whole(self, reply: Reply, request: Request) -> Item:
        if request.path.endswith("/responses"):
            return response(reply.output, request.body, reply.status)
        if request.path.endswith("/responses/compact"):
            return compacted(reply.output)
        return completion(reply.message, request.body, reply.status)

    def _send(self, status: int, body: Item, headers: dict[str, str]) -> None:
        self._write(status, "application/json", json.dumps(body).encode(), headers)

    def _write(self, status: int, kind: str, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.send_header("connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            self.server.hung_up.set()

    def _stream(self, reply: Reply, request: Request) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("connection", "close")
        self.end_headers()
        try:
            for event in list(self._events(reply, request))[: reply.until]:
                self._chunk(event)
            if reply.held:
                self._hold(reply.held)
            if not reply.dropped:
                self._chunk("")
        except OSError:
            self.server.hung_up.set()

    def _hold(self, held: threading.Event) -> None:
        # A comment, which clients skip: sending it is how one learns that they hung up.
        while not held.wait(0.01):
            self._chunk(": held\n\n")

    def _events(self, reply: Reply, request: Request) -> Iterator[str]:
        if request.path.endswith("/responses"):
            return response_events(reply.output, request.body, reply.status)
        return chat_events(reply.message, request.body, reply.status)

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
