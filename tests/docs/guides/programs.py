"""The programs of the guides, served as their pages say: real servers on loopback ports."""

from __future__ import annotations

import http.client
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.blocks import commands_on, files_on
from tests.servers.process import HOST, Server

__all__ = ["SLOW", "Answer", "Site", "at_once", "held", "printed", "program", "write_files"]

#: Gives the program's agent a model that takes its time between words, and notes each request.
#: While a file `hold` is there, it doesn't go on if the newest question has the text of that file.
SLOW = """
import asyncio
import os
import time

from {module} import *
from {module} import agent
from turnlog import OfflineModel, TextDelta


class Slow(OfflineModel):
    async def respond(self, request):
        note()
        await pause(request)
        return await super().respond(request)

    async def stream(self, request):
        note()
        async for event in super().stream(request):
            yield event
            if isinstance(event, TextDelta):
                await pause(request)


async def pause(request):
    await asyncio.sleep(PAUSE)
    asked = [item["content"] for item in request.items if item.get("role") == "user"]
    while is_held(str(asked[-1])):
        await asyncio.sleep(0.01)


def is_held(question):
    try:
        with open("hold") as hold:
            return hold.read() in question
    except FileNotFoundError:
        return False


def note():
    with open("asked", "a") as asked:
        asked.write(f"{{os.getpid()}}\\n")


PAUSE = float(os.environ.get("PAUSE", "0.1"))
agent.model = Slow()
"""


@dataclass
class Answer:
    """A response: its status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> object:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str, str]]:
        """The body as server-sent events: name and text."""
        blocks = self.body.strip().split("\n\n") if self.body.strip() else []
        pairs = [block.split("\n", 1) for block in blocks]
        return [
            (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
            for name, data in pairs
        ]

    @property
    def text(self) -> str:
        """The answer: what its deltas say."""
        return "".join(text for name, text in self.events if name == "delta")


@dataclass
class Site:
    """A program on a loopback port, and a client of it."""

    server: Server
    #: The cookies of users who are logged in, by their names.
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        """The response to GET."""
        with self._sent("GET", path, None, headers) as response:
            return _read(response)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """The response to POST with `body` as JSON, read to its end."""
        with self._sent("POST", path, body, headers) as response:
            return _read(response)

    def leave(self, path: str, body: object, **headers: str) -> None:
        """POST, read the beginning of the response, and hang up."""
        with self._sent("POST", path, body, headers) as response:
            assert response.read(4)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, the model doesn't end any answer: what is under way stays so."""
        with held(self.server.folder):
            yield

    @property
    def asked(self) -> list[int]:
        """Which process asked the model, for each request to it."""
        path = self.server.folder / "asked"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    @contextmanager
    def _sent(
        self, verb: str, path: str, body: object, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        sent = {"Content-Type": "application/json", **headers}
        connection = http.client.HTTPConnection(HOST, self.server.port, timeout=60)
        try:
            connection.request(verb, path, json.dumps(body) if body else None, sent)
            yield connection.getresponse()
        finally:
            connection.close()


@contextmanager
def held(folder: Path, text: str = "") -> Iterator[None]:
    """Within, the model of the program in `folder` answers no question in which `text` is."""
    hold = folder / "hold"
    new = folder / "hold.new"
    new.write_text(text)
    new.rename(hold)  # nobody sees it half written
    try:
        yield
    finally:
        hold.unlink()


def _read(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, dict(response.getheaders()), response.read().decode())


class _Program(Server):
    """A program of a guide. Its folder holds the files of the page."""

    def __init__(
        self,
        files: Mapping[str, str],
        make: Callable[[int], list[str]],
        environment: Mapping[str, str],
        is_up: Callable[[Server], bool],
    ) -> None:
        super().__init__("guide")
        self._files, self._make, self._is_up = files, make, is_up
        folder = str(self.folder)  # gunicorn keeps a socket in the home directory
        self._environment = {"PYTHONPATH": folder, "HOME": folder, **environment}

    def prepare(self) -> None:
        write_files(self._files, self.folder)

    def command(self) -> list[str]:
        set_to = [f"{name}={value}" for name, value in self._environment.items()]
        program, *options = self._make(self.port)
        return ["env", *set_to, str(Path(sys.executable).parent / program), *options]

    def answers(self) -> bool:
        return self._is_up(self)


def _has_health(server: Server) -> bool:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def printed(page: str, name: str, module: str, *options: str) -> list[str]:
    """The command of the program `name` as a page of `docs/guides` prints it.

    module: takes the place of the first word that names a module of the page.
    options: what a test adds, such as the port, or `--workers 2` in place of 4.
    """
    [line] = [line for line in commands_on(f"docs/guides/{page}.md") if line.split()[0] == name]
    words = shlex.split(line)
    modules = [
        word for word in words if f"{word.split(':')[0]}.py" in files_on(f"docs/guides/{page}.md")
    ]
    words[words.index(modules[0])] = module
    return [*words, *options]


def write_files(files: Mapping[str, str], folder: Path) -> None:
    """Write `files`, by their names, into `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextmanager
def program(
    page: str,
    make: Callable[[int], list[str]],
    *,
    change: Callable[[dict[str, str]], None] = lambda files: None,
    is_up: Callable[[Server], bool] = _has_health,
    **environment: str,
) -> Iterator[Site]:
    """Serve the files of a page of `docs/guides`.

    make: the command line on the page, for a port; its first word is a program of the virtual
        environment.
    change: changes the files before, as the page says.
    is_up: whether the program has started.
    """
    files = dict(files_on(f"docs/guides/{page}.md"))
    change(files)
    with _Program(files, make, environment, is_up) as server:
        yield Site(server)


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    """What the calls return that are made at the same time."""
    with ThreadPoolExecutor(len(calls)) as pool:
        made: list[Future[Answer]] = [pool.submit(call) for call in calls]
        return [each.result() for each in made]
