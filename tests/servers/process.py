"""Server processes: started, killed, paused, and always stopped with the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.ports import HOST, free_port

__all__ = ["HOST", "Server", "as_nobody", "children_of", "free_port", "is_alive", "own"]

#: Seconds for a start or a stop, on a machine that has much else to do.
_PATIENCE = 240.0


class Server(ABC):
    """One server on a loopback port, with a data folder and a log of its own."""

    host = HOST
    #: The signal that shuts it down cleanly, without waiting for its clients.
    stopping = signal.SIGTERM

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        # Not below pytest's own folders: those are closed to the user a database runs as.
        self.folder = Path(tempfile.mkdtemp(prefix=f"turnlog-{name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command line of the server."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server accepts connections."""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Initialise the data folder, once."""

    def start(self) -> None:
        """Start on the existing data, and wait until the server answers."""
        if self._process is None:
            self.prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                bound_to_us(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait_until_it_answers(self._process)

    def kill(self) -> None:
        """Kill all its processes at once, as a power cut would."""
        if self.process.poll() is not None:
            return
        self._suspend()  # so that it starts no process that would not be killed
        children = children_of(self.process.pid)
        self.process.kill()
        self.process.wait()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        while any(map(is_alive, children)):
            time.sleep(0.005)

    def stop(self) -> None:
        """Shut down cleanly."""
        self.process.send_signal(self.stopping)
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def restart(self) -> None:
        """Kill it and start it again on the same port and data."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Suspend its main process: the server hangs, or accepts nobody if it has others."""
        self._suspend()

    def resume(self) -> None:
        """Resume its main process."""
        self.process.send_signal(signal.SIGCONT)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the server, once it was started."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    @property
    def log(self) -> Path:
        """The log of the server."""
        return self.folder / "server.log"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the server and delete its data."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _PATIENCE
        while not self.answers():
            if process.poll() is not None or time.monotonic() > end:
                self.kill()
                log = self.log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"{self.name} does not come up: {log}")
            time.sleep(0.02)

    def _suspend(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        while self.process.poll() is None and _state(self.process.pid) not in {"T", None}:
            time.sleep(0.001)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended may wait for its parent to notice."""
    return _state(pid) not in {"Z", "X", None}


def _state(pid: int) -> str | None:
    """The state as the kernel writes it: "T" is stopped, "Z" has ended. None: it is gone."""
    try:
        # The name before it stands in parentheses, and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def children_of(pid: int) -> list[int]:
    """The processes that the process has started and that still run."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


def bound_to_us(command: list[str]) -> list[str]:
    """`command`, which the kernel kills when this process ends for any reason."""
    if shutil.which("setpriv") is None:
        return command
    return ["setpriv", "--pdeathsig", "KILL", *command]


def as_nobody(command: list[str]) -> list[str]:
    """`command` as an unprivileged user if we are root: databases refuse to run as root."""
    if os.geteuid() != 0:
        return command
    ids = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    return ["setpriv", *ids, *bound_to_us(["env", "HOME=/nonexistent", *command])]


def own(folder: Path) -> None:
    """Give `folder` and what is in it to the user that `as_nobody` means."""
    if os.geteuid() == 0:
        for place in (folder, *folder.rglob("*")):
            shutil.chown(place, "nobody", "nogroup")
