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

__all__ = ["HOST", "Server", "as_nobody", "free_port", "own"]

_PATIENCE = 60.0  # seconds


class Server(ABC):
    """One server on a loopback port, with a data folder and a log of its own."""

    host = HOST

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
        children = _children(self.process.pid)
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        while any(Path("/proc", str(child)).exists() for child in children):
            time.sleep(0.005)

    def stop(self) -> None:
        """Shut down cleanly."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again on the same port and data."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Suspend all its processes: the server hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume its processes."""
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

    def _end(self, sign: signal.Signals) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(sign)
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def _children(pid: int) -> list[int]:
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
