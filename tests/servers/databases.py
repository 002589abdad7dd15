"""PostgreSQL and MariaDB servers that flush each commit to the disk."""

import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
from functools import cache
from itertools import count
from pathlib import Path

from tests.servers.finding import program
from tests.servers.process import HOST, Server, as_nobody, own

__all__ = ["MariaDBServer", "PostgresServer"]


class PostgresServer(Server):
    """PostgreSQL with its default settings; `fsync` is on."""

    stopping = signal.SIGINT

    def __init__(self) -> None:
        super().__init__("postgres")
        self._names = count(1)

    def prepare(self) -> None:
        shutil.copytree(_postgres_template(), self.folder / "data", symlinks=True)
        (self.folder / "data").chmod(0o700)
        own(self.folder)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": self.folder,
            "max_connections": 300,
            "deadlock_timeout": "200ms",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return as_nobody([str(_postgres("postgres")), "-D", str(self.folder / "data"), *options])

    def answers(self) -> bool:
        asking = [
            str(_postgres("pg_isready")),
            "-q",
            "-h",
            HOST,
            "-p",
            str(self.port),
            "-U",
            "postgres",
        ]
        return subprocess.run(asking, check=False).returncode == 0

    def url(self, database: str = "postgres") -> str:
        """Where SQLAlchemy finds the database."""
        return f"postgresql+asyncpg://postgres@{HOST}:{self.port}/{database}"

    def fresh_database(self) -> str:
        """The name of a new, empty database."""
        name = f"fresh_{next(self._names)}"
        make = ["createdb", "-h", HOST, "-p", str(self.port), "-U", "postgres", name]
        subprocess.run([str(_postgres(make[0])), *make[1:]], check=True, capture_output=True)
        return name


@cache
def _postgres(name: str) -> Path:
    """One of PostgreSQL's programs, where an unprivileged user can run it."""
    folder = program("POSTGRES").resolve().parent
    probe = subprocess.run(as_nobody([str(folder / "postgres"), "-V"]), capture_output=True)  # noqa: PLW1510 - a failure is an answer
    if probe.returncode:
        folder = _copy_of_installation(folder.parent) / "bin"
    return folder / name


@cache
def _copy_of_installation(home: Path) -> Path:
    # With the folder beside it that has what a wheel's programs are linked with.
    copy = Path(tempfile.mkdtemp(prefix="turnlog-pginstall-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    for folder in (home.parent, home.parent.parent / f"{home.parent.name}.libs"):
        if folder.exists():
            shutil.copytree(folder, copy / folder.name, symlinks=True)
    return copy / home.parent.name / home.name


@cache
def _postgres_template() -> Path:
    folder = _folder_of_nobody("turnlog-pgdata-")
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    command = [str(_postgres("initdb")), "-D", str(folder / "data"), *options]
    subprocess.run(as_nobody(command), check=True, capture_output=True, cwd=folder)
    return folder / "data"


class MariaDBServer(Server):
    """MariaDB or MySQL, flushing its log at each commit."""

    def __init__(self) -> None:
        super().__init__("mariadb")
        self._names = count(1)

    def prepare(self) -> None:
        shutil.copytree(_mariadb_template(), self.folder / "data", symlinks=True)
        # Run by the server itself at each start, so that no client is needed.
        (self.folder / "init.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS turnlog CHARACTER SET utf8mb4;\n"
            "CREATE USER IF NOT EXISTS turnlog@'127.0.0.1' IDENTIFIED BY 'secret';\n"
            "GRANT ALL ON *.* TO turnlog@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        own(self.folder)

    def command(self) -> list[str]:
        settings = {
            "datadir": self.folder / "data",
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            # In /tmp, servers of other runs may have temporary tables of the same names.
            "tmpdir": self.folder,
            "init-file": self.folder / "init.sql",
            "lc-messages-dir": "/usr/share/mysql",
            "bind-address": HOST,
            "port": self.port,
            "innodb-flush-log-at-trx-commit": 1,
            "innodb-buffer-pool-size": "64M",
            "innodb-log-file-size": "48M",
            "max-allowed-packet": "64M",
            "max-connections": 300,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return as_nobody([str(program("MARIADB")), "--no-defaults", *options])

    def answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as greeting:
                return len(greeting.recv(5)) == 5
        except OSError:
            return False

    def fresh_database(self) -> str:
        """The name of a new, empty database."""
        name = f"fresh_{next(self._names)}"
        script = f"CREATE DATABASE {name} CHARACTER SET utf8mb4"
        client = shutil.which("mariadb") or shutil.which("mysql") or "mariadb"
        at = ["-h", HOST, "-P", str(self.port), "-u", "turnlog", "-psecret", "-e", script]
        subprocess.run([client, *at], check=True, capture_output=True)
        return name

    def url(self, database: str = "turnlog") -> str:
        """Where SQLAlchemy finds the database."""
        return f"mysql+asyncmy://turnlog:secret@{HOST}:{self.port}/{database}?charset=utf8mb4"


@cache
def _mariadb_template() -> Path:
    folder = _folder_of_nobody("turnlog-mariadb-")
    install = shutil.which("mariadb-install-db") or "mysql_install_db"
    options = [f"--datadir={folder / 'data'}", "--auth-root-authentication-method=normal"]
    subprocess.run(
        as_nobody([install, "--no-defaults", "--skip-test-db", *options]),
        check=True,
        capture_output=True,
        cwd=folder,
    )
    return folder / "data"


def _folder_of_nobody(prefix: str) -> Path:
    """A folder of the unprivileged user that is deleted after the tests."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    own(folder)
    return folder
