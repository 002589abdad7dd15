"""Names of processes: who is gone, and who is never said to be."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT
from turnlog.loops import processes
from turnlog.loops.processes import described_process, is_alive, is_gone, own_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they are known on Linux only")

ENDS_ITS_FIRST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_known", None)


def own() -> str:
    name = own_process()
    assert name is not None
    return name


def named(pid: int) -> str:
    """The name that a process of this machine gives itself."""
    stat = processes._stat(str(pid))
    assert stat is not None
    return f"{own().split('/')[0]}/{pid}/{stat.start}"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_this_process_lives() -> None:
    assert own() == named(os.getpid())
    assert is_alive(own())
    assert not is_gone(own())


def test_a_name_reveals_no_name_of_the_machine() -> None:
    machine = own().split("/")[0]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    assert len(own()) < 45
    assert machine not in boot.replace("-", "")
    assert os.uname().nodename not in own()


def test_a_process_that_was_killed_is_gone(child: subprocess.Popen[str]) -> None:
    name = named(child.pid)
    assert is_alive(name)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie, nobody has asked for it
    assert processes._stat(str(child.pid)) is not None
    assert is_gone(name)
    child.wait()
    assert is_gone(name)
    assert not is_alive(name)


def test_a_process_that_is_stopped_lives(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert is_alive(named(child.pid))


def test_a_process_whose_first_thread_has_ended_lives() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDS_ITS_FIRST_THREAD], stdout=subprocess.PIPE
    ) as process:
        try:
            name = named(process.pid)
            while b") Z " not in Path(f"/proc/{process.pid}/stat").read_bytes():
                assert is_alive(name)
            assert is_alive(name)
        finally:
            process.kill()


def test_another_process_with_the_same_pid_is_not_the_one(child: subprocess.Popen[str]) -> None:
    machine, pid, start = named(child.pid).split("/")
    assert is_gone(f"{machine}/{pid}/{int(start) - 1}")


def test_no_process_of_another_machine_is_judged(child: subprocess.Popen[str]) -> None:
    _, pid, start = named(child.pid).split("/")
    child.kill()
    child.wait()
    for name in (f"0123456789abcdef/{pid}/{start}", f"0123456789abcdef/{os.getpid()}/{start}"):
        assert not is_gone(name)
        assert not is_alive(name)


@pytest.mark.parametrize(
    "fact", ["sys/kernel/random/boot_id", "self/ns/pid"], ids=["boot", "namespace"]
)
def test_a_boot_or_a_namespace_of_its_own_is_another_machine(
    fact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = own()
    real = processes._facts_of_machine

    def facts() -> list[str]:
        boot, pids, *rest = real()
        return ["other" if "boot" in fact else boot, "other" if "pid" in fact else pids, *rest]

    monkeypatch.setattr(processes, "_facts_of_machine", facts)
    monkeypatch.setattr(processes, "_known", None)
    assert own() != here
    assert not is_gone(here.rsplit("/", 1)[0] + "/1")


@pytest.mark.parametrize("error", [PermissionError, OSError], ids=["permission", "other"])
def test_a_process_of_another_user_that_is_hidden_is_not_gone(
    error: type[OSError], child: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = named(child.pid)
    own()

    def refused(_pid: int, _signal: int) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", refused)
        patch.setattr(processes, "_stat", lambda _process: None)
        assert not is_gone(name)


def test_where_proc_counts_other_pids_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    name = own()
    monkeypatch.setattr(processes, "_known", None)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert own_process() is None
    assert not is_gone(name.rsplit("/", 1)[0] + "/1")


def test_where_proc_counts_the_same_pid_by_chance_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a namespace of its own, with the /proc of the one around it."""
    for name in ("self/stat", "sys/kernel/random/boot_id"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((Path("/proc") / name).read_bytes())
    (tmp_path / "self/ns").symlink_to("/proc/self/ns")
    (tmp_path / "self/status").write_text(f"Name:\tx\nNSpid:\t{os.getpid()}\n")
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    monkeypatch.setattr(processes, "_known", None)
    assert own_process() is not None
    (tmp_path / "self/status").write_text(f"NSpid:\t{os.getpid()}\t{os.getpid()}\n")
    monkeypatch.setattr(processes, "_known", None)
    assert own_process() is None


@pytest.mark.parametrize("missing", ["proc", "platform"])
def test_elsewhere_nothing_is_known(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own()
    monkeypatch.setattr(processes, "_known", None)
    if missing == "proc":
        monkeypatch.setattr(processes, "_PROC", tmp_path)
    else:
        monkeypatch.setattr(sys, "platform", "darwin")
    assert own_process() is None
    assert not is_gone(name)
    assert not is_alive(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            None,
            "",
            "a",
            "a/1",
            "a/1/2/3",
            "a/0/1",
            "a/-1/1",
            "a/1/x",
            "a/\u0661/1",
            "a/99999999999/1",
        ),
        f"a/1/{'9' * 5000}",
    ],
    ids=[
        *("none", "empty", "one", "two", "four", "zero", "negative", "text", "arabic", "large"),
        "endless",
    ],
)
def test_a_name_that_cannot_be_read_is_judged_by_nobody(name: str | None) -> None:
    assert not is_gone(name)
    assert not is_alive(name)
    assert described_process(name) == "an unknown process"


def test_it_is_named_in_words() -> None:
    machine, pid, start = own().split("/")
    assert described_process(own()) == f"process {pid} on this machine"
    other = machine[::-1]
    assert (
        described_process(f"{other}/{pid}/{start}")
        == f"process {pid} on another machine or in another container"
    )


def test_a_forked_child_has_a_name_of_its_own() -> None:
    parent = own()
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(into, (own_process() or "").encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as said:
        name = said.read()
    os.waitpid(child, 0)
    assert name.split("/")[:2] == [parent.split("/")[0], str(child)]
    assert is_gone(name)


async def _program(code: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    out, _ = await process.communicate()
    return out


@pytest.mark.anyio
async def test_two_processes_of_a_machine_know_each_other() -> None:
    code = "from turnlog.loops.processes import own_process; print(own_process())"
    first, second = await asyncio.gather(_program(code), _program(code))
    assert first != second
    assert first.split(b"/")[0] == second.split(b"/")[0] == own().split("/")[0].encode()
    assert is_gone(first.decode().strip())
