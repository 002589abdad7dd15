"""The load test: many users talk to a service of two workers, a program.

    python -m tests.load STORE RUNNER USERS MESSAGES

Each user sends his messages one after the other, each under a key of its own, until it is answered
whole. Of the messages, 20 % are cut off in the middle of the answer, and 10 % are sent twice at
once. Both workers are killed once, with SIGKILL, and started again a second later. At the end the
program reads what is stored and prints a report, as one object of JSON.
"""

import asyncio
import dataclasses
import json
import logging
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import httpx2
import uvicorn

from tests.load.model import StrictModel, answer_to
from turnlog import StoredSession, open_store

__all__ = ["Report", "main"]

CUT, TWICE = 0.2, 0.1


@dataclass
class Report:
    """The outcome. The counts from `refused` to `wrong` ought to be 0."""

    messages: int = 0
    requests: int = 0
    asked: int = 0
    refused: int = 0
    stored_twice: int = 0
    questions_in_a_row: int = 0
    lost: int = 0
    wrong: int = 0
    #: How many requests a killed worker broke off.
    broken_off: int = 0
    #: The longest time from such a break to the first word of the next try, in seconds.
    longest_wait: float = 0.0
    #: The same for all other tries, from their beginning: how busy the machine is.
    longest_otherwise: float = 0.0

    def began_to_answer(self, began: float, broken: float) -> None:
        """The first word of a try is there."""
        waited = time.monotonic() - (broken or began)
        if broken:
            self.longest_wait = max(self.longest_wait, waited)
        else:
            self.longest_otherwise = max(self.longest_otherwise, waited)


class Worker:
    """One worker, which can be killed and started again."""

    def __init__(self, store: str, model: str, runner: str) -> None:
        self.port = _free_port()
        self.is_up = asyncio.Event()
        self.kills = 0
        #: The messages that it is to answer whole.
        self.messages = Counter[str]()
        self._process: asyncio.subprocess.Process | None = None
        self._arguments = (str(self.port), store, model, runner)

    async def start(self) -> None:
        command = (sys.executable, "-m", "tests.load.worker", *self._arguments)
        self._process = process = await asyncio.create_subprocess_exec(*command)
        while not _answers(self.port):
            if process.returncode is not None:
                raise RuntimeError("the worker has ended")
            await asyncio.sleep(0.05)
        self.is_up.set()

    async def kill(self) -> None:
        self.is_up.clear()
        self.kills += 1
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()


@dataclass
class Load:
    """The users and what happens to them."""

    workers: list[Worker]
    client: httpx2.AsyncClient
    model: StrictModel
    messages: int
    random: Random
    report: Report = field(default_factory=Report)
    answered: int = 0

    async def talk(self, user: str) -> None:
        for number in range(self.messages):
            text, fate = f"{user} asks {number}", self.random.random()
            if fate < CUT:
                await self.send(user, text, cut=True)
            elif fate < CUT + TWICE:
                await asyncio.gather(self.answer(user, text), self.answer(user, text))
            await self.answer(user, text)
            self.answered += 1

    async def answer(self, user: str, text: str) -> None:
        """Send a message until it is answered whole."""
        broken = 0.0
        while not await self.send(user, text, broken=broken):
            broken = time.monotonic()

    async def send(self, user: str, text: str, *, cut: bool = False, broken: float = 0.0) -> bool:
        """Send a message once; whether it was answered whole.

        broken: when a worker that was killed broke off the try before; 0 if none did.
        """
        worker = await self._one_that_is_up()
        kills, said, began = worker.kills, "", time.monotonic()
        self.report.requests += 1
        body = {"text": text, "key": text}
        try:
            worker.messages[text] += not cut
            url = f"http://127.0.0.1:{worker.port}/{user}"
            async with self.client.stream("POST", url, json=body) as response:
                async for piece in response.aiter_text():
                    if not said:
                        self.report.began_to_answer(began, broken)
                    said += piece
                    if cut:
                        return False
        except httpx2.TransportError:
            if worker.kills == kills and worker.is_up.is_set():
                await asyncio.sleep(0.05)  # it is being killed, or a connection was refused
            self.report.broken_off += 1
            return False
        finally:
            worker.messages[text] -= not cut
        *pieces, end = said.splitlines() or [""]
        if end != "done":
            self.report.broken_off += 1
            return False
        self.report.wrong += "".join(pieces) != answer_to(text)
        return True

    async def kill_each_worker(self, total: int) -> None:
        """Kill the first when a third of all is answered, the second when two thirds are.

        Each is killed while the model answers one of its messages, so that a request is broken off
        for certain. If all is answered by then, it is not killed.
        """
        for number, worker in enumerate(self.workers, 1):
            while self.answered < total * number // 3 or not self._is_answering(worker):
                if self.answered == total:
                    return
                await asyncio.sleep(0.01)
            await worker.kill()
            await asyncio.sleep(1.0)
            await worker.start()

    def _is_answering(self, worker: Worker) -> bool:
        return any(worker.messages[text] for text in self.model.begun)

    async def _one_that_is_up(self) -> Worker:
        while not (up := [worker for worker in self.workers if worker.is_up.is_set()]):  # noqa: ASYNC110 - any of several
            await asyncio.sleep(0.05)
        return self.random.choice(up)


async def stored(report: Report, store: str, users: list[str], messages: int) -> None:
    """Compare what is stored with what was said."""
    async with open_store(store) as opened:
        for user in users:
            items = await StoredSession(user, opened).get_items()
            roles = [item["role"] for item in items]
            questions = Counter(item["content"] for item in items if item["role"] == "user")
            report.stored_twice += sum(questions.values()) - len(questions)
            report.lost += (
                messages - len(questions) + roles.count("user") - roles.count("assistant")
            )
            report.questions_in_a_row += [*pairwise(roles)].count(("user", "user"))


async def main(store: str, runner: str, users: int, messages: int) -> Report:
    """Run the load; its report."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of clients that went away
    model, names = StrictModel(), [f"user-{number}" for number in range(users)]
    port = _free_port()
    server = uvicorn.Server(uvicorn.Config(model.app, port=port, log_level="critical"))
    serving = asyncio.create_task(server.serve())
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with (
        _two_workers(store, f"http://127.0.0.1:{port}/v1", runner) as workers,
        httpx2.AsyncClient(timeout=120, limits=limits, trust_env=False) as client,
    ):
        load = Load(workers, client, model, messages, Random(7))
        killing = asyncio.create_task(load.kill_each_worker(users * messages))
        await asyncio.gather(*map(load.talk, names))
        await killing
    server.should_exit = True
    await serving
    report = load.report
    report.messages, report.asked = load.answered, model.asked
    report.refused = len(model.refused)
    await stored(report, store, names, messages)
    return report


@asynccontextmanager
async def _two_workers(store: str, model: str, runner: str) -> AsyncIterator[list[Worker]]:
    """Within, two workers run; at the end they are ended, whatever happens."""
    workers = [Worker(store, model, runner) for _ in range(2)]
    try:
        await asyncio.gather(*(worker.start() for worker in workers))
        yield workers
    finally:
        await asyncio.gather(*(worker.end() for worker in workers))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    url, runner, users, messages = sys.argv[1:]
    done = asyncio.run(main(url, runner, int(users), int(messages)))
    sys.stdout.write(f"{json.dumps(dataclasses.asdict(done))}\n")
