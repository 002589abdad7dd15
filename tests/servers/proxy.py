"""A network that fails on purpose: a TCP proxy in front of a server."""

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

from tests.servers.process import HOST

__all__ = ["Proxy"]


class Proxy:
    """Forwards a loopback port to the port of a server, and fails on demand.

    Runs in a thread of its own, from `with` to its end.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._door = socket.create_server((HOST, 0))
        self.port: int = self._door.getsockname()[1]
        self._pairs: set[_Pair] = set()
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._asked, self._hears = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._losing: bytes | None = None
        #: How many replies were lost so far.
        self.lost = 0
        self._refusing = False
        self._stalled = False
        self._ending = False

    def cut(self) -> None:
        """Close every open connection."""
        with self._lock:
            for pair in list(self._pairs):
                self._drop(pair)

    def refuse(self, refusing: bool = True) -> None:
        """Refuse new connections, or accept them again."""
        self._refusing = refusing

    def lose_the_reply_to(self, request: bytes | None) -> None:
        """Let the next request that holds these bytes reach the server, and drop the
        connection when the server has replied, instead of passing the reply on.

        Once; None takes it back.
        """
        self._losing = request

    def stall(self, stalled: bool = True) -> None:
        """Stop forwarding in both directions, or continue."""
        self._stalled = stalled
        self._asked.send(b".")

    def __enter__(self) -> Self:
        self._door.settimeout(0)
        self._selector.register(self._door, selectors.EVENT_READ)
        self._selector.register(self._hears, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending = True
        self._asked.send(b".")
        self._thread.join()
        self.cut()
        for thing in (self._selector, self._door, self._asked, self._hears):
            thing.close()

    def _serve(self) -> None:
        while not self._ending:
            # What waits while stalled stays readable: looked at again, a little later.
            ready = self._selector.select(0.02 if self._stalled else None)
            with self._lock:
                for key, _ in ready:
                    self._handle(key.fileobj, key.data)

    def _handle(self, source: object, pair: "_Pair | None") -> None:
        if source is self._hears:
            self._hears.recv(64)
        elif source is self._door:
            self._accept()
        elif pair is not None and pair in self._pairs and not self._stalled:
            self._pass_on(source is pair.client, pair)

    def _accept(self) -> None:
        client, _ = self._door.accept()
        if self._refusing:
            client.close()
            return
        try:
            # The kernel accepts for a server that stands still, so this takes no time.
            server = socket.create_connection((HOST, self._target), timeout=30)
        except OSError:
            client.close()
            return
        pair = _Pair(client, server)
        self._pairs.add(pair)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, pair)

    def _pass_on(self, from_client: bool, pair: "_Pair") -> None:
        source, target = (pair.client, pair.server)[:: 1 if from_client else -1]
        try:
            data = source.recv(1 << 20)
            if data and from_client:
                self._look(data, pair)
            if not data or (pair.doomed and not from_client):
                self._lose(pair)
                return
            target.sendall(data)
        except OSError:
            self._drop(pair)

    def _look(self, data: bytes, pair: "_Pair") -> None:
        pair.said = (pair.said + data)[-(1 << 20) :]
        losing = self._losing
        if losing is not None and losing in pair.said:
            self._losing = None
            pair.doomed = True
        if losing is None:
            pair.said = b""

    def _lose(self, pair: "_Pair") -> None:
        self.lost += pair.doomed
        self._drop(pair)

    def _drop(self, pair: "_Pair") -> None:
        self._pairs.discard(pair)
        for end in (pair.client, pair.server):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
            end.close()


class _Pair:
    """A client's connection and the one that was made to the server for it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.said = b""
        self.doomed = False
