"""Redis or Valkey servers: one alone, a Cluster, and a pair that Sentinels watch."""

import atexit
import datetime as dt
import ipaddress
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.finding import program
from tests.servers.ports import free_port
from tests.servers.process import HOST, Server

__all__ = ["RedisCluster", "RedisSentinel", "RedisServer", "certificate"]

#: Seconds, on a machine that has much else to do.
_PATIENCE = 240.0


class RedisServer(Server):
    """One server that flushes each write to the disk before it answers."""

    def __init__(self, *options: str, name: str = "redis") -> None:
        super().__init__(name)
        self.options = options

    def command(self) -> list[str]:
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        place = ["--port", str(self.port), "--bind", HOST, "--dir", str(self.folder)]
        return [str(program("REDIS")), *place, *durable, *self.options]

    def answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as asking:
                asking.sendall(b"PING\r\n")
                return asking.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    @property
    def url(self) -> str:
        """Where a client finds it."""
        return f"redis://{HOST}:{self.port}/0"

    def client(self) -> redis.Redis:
        """A plain client, for a look at the stored keys. The caller closes it."""
        return redis.Redis(host=HOST, port=self.port)


class RedisCluster:
    """Six nodes: three masters, each with a replica, which takes over when it is told to.

    By itself it would also do so for a master that is only slow, and what that one had
    acknowledged last would be lost: replicas follow a moment later.
    """

    def __init__(self) -> None:
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", f"{_PATIENCE:.0f}000"]
        options += ["--cluster-replica-no-failover", "yes", "--repl-diskless-sync-delay", "0"]
        self.nodes = [
            # Its own choice would be 10,000 above the port, and may not exist.
            RedisServer(*options, "--cluster-port", str(free_port()), name=f"redis-{n}")
            for n in range(6)
        ]
        self._running = ExitStack()

    @property
    def url(self) -> str:
        """Where a client finds the Cluster."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port}"

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            for node in self.nodes:
                starting.enter_context(node)
            self._join()
            self.wait_healthy()
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()

    def masters(self) -> list[RedisServer]:
        """The nodes that hold slots now."""
        return [node for node in self.nodes if self._info(node).get("role") == "master"]

    def master_of(self, key: str) -> RedisServer:
        """The node that holds `key` now."""
        with self.client() as client:
            port = client.get_node_from_key(key).port
        return next(node for node in self.nodes if node.port == port)

    def move_slot_of(self, key: str) -> None:
        """Have another master hold the slot of `key`: key by key, with a pause after each.

        The pause is short, because a read of keys that are parted waits for the end of the move.
        """
        source = self.master_of(key)
        target = next(node for node in self.masters() if node is not source)
        with source.client() as giving, target.client() as taking:
            slot = giving.execute_command("CLUSTER KEYSLOT", key)
            giver, taker = (_id_on(client) for client in (giving, taking))
            taking.execute_command(f"CLUSTER SETSLOT {slot} IMPORTING {giver}")
            giving.execute_command(f"CLUSTER SETSLOT {slot} MIGRATING {taker}")
            while keys := giving.execute_command(f"CLUSTER GETKEYSINSLOT {slot} 1"):
                giving.execute_command("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
                time.sleep(0.005)
            for client in (taking, giving):
                client.execute_command(f"CLUSTER SETSLOT {slot} NODE {taker}")
        self.wait_healthy()

    def replace(self, master: RedisServer) -> None:
        """Kill a master whose replica has all that was acknowledged, and let that one take over."""
        with master.client() as client:
            sent = int(client.info("replication")["master_repl_offset"])
        replica = self._replica_of(master)
        _wait(
            lambda: int(self._info(replica)["slave_repl_offset"]) >= sent,
            "the replica does not follow",
        )
        master.kill()
        with replica.client() as client:
            client.execute_command("CLUSTER FAILOVER TAKEOVER")
        _wait(lambda: self._info(replica)["role"] == "master", "the replica does not take over")

    def _replica_of(self, master: RedisServer) -> RedisServer:
        infos = ((node, self._info(node)) for node in self.nodes)
        return next(node for node, info in infos if int(info.get("master_port", 0)) == master.port)

    def wait_healthy(self) -> None:
        """Wait until every slot has a master that all living nodes know, with a replica."""
        _wait(lambda: all(map(self._is_settled, self._living())), "the Cluster does not settle")

    def _join(self) -> None:
        first = self.nodes[0]
        for n, node in enumerate(self.nodes):
            with node.client() as client:
                if n < 3:
                    slots = f"{n * 16384 // 3} {(n + 1) * 16384 // 3 - 1}"
                    client.execute_command(f"CLUSTER ADDSLOTSRANGE {slots}")
                client.execute_command(f"CLUSTER SET-CONFIG-EPOCH {n + 1}")
                bus = first.options[-1]
                client.execute_command(f"CLUSTER MEET {HOST} {first.port} {bus}")
        _wait(
            lambda: all(self._known(node) == 6 for node in self.nodes),
            "the nodes do not find each other",
        )
        for master, replica in zip(self.nodes[:3], self.nodes[3:], strict=True):
            with master.client() as client:
                name = _id_on(client)
            with replica.client() as client:
                client.execute_command(f"CLUSTER REPLICATE {name}")

    def _living(self) -> list[RedisServer]:
        return [node for node in self.nodes if node.process.poll() is None]

    def _is_settled(self, node: RedisServer) -> bool:
        state = self._cluster_info(node)
        if state.get("cluster_state") != "ok" or state.get("cluster_slots_ok") != "16384":
            return False
        info = self._info(node)
        if info["role"] == "slave":
            return info["master_link_status"] == "up"
        return int(info["connected_slaves"]) > 0 or len(self._living()) < len(self.nodes)

    def _known(self, node: RedisServer) -> int:
        return int(self._cluster_info(node)["cluster_known_nodes"])

    def _cluster_info(self, node: RedisServer) -> dict[str, str]:
        with node.client() as client:
            return dict(client.execute_command("CLUSTER INFO"))

    def _info(self, node: RedisServer) -> dict[str, str]:
        if node.process.poll() is not None:
            return {}
        with node.client() as client:
            return dict(client.info("replication"))

    def client(self) -> redis.RedisCluster:
        """A plain client to look behind the curtain with. The caller closes it."""
        return redis.RedisCluster(host=HOST, port=self._living()[0].port)


def _wait(done: Callable[[], bool], complaint: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not done():
        assert time.monotonic() < end, complaint
        time.sleep(0.05)


def _id_on(client: redis.Redis) -> str:
    """What the other nodes call this one."""
    name: bytes = client.execute_command("CLUSTER MYID")  # type: ignore[no-untyped-call]  # as it is
    return name.decode()


class RedisSentinel:
    """A master and its replica, watched by three Sentinels under the name `chats`.

    The replica takes over when it is told to; the Sentinels wait for a master that is only slow.
    """

    service = "chats"

    def __init__(self) -> None:
        self.master = RedisServer(name="redis-master")
        at = ["--replicaof", HOST, str(self.master.port), "--repl-diskless-sync-delay", "0"]
        self.replica = RedisServer(*at, name="redis-replica")
        self.sentinels = [_Sentinel(self.service, self.master.port) for _ in range(3)]
        self._running = ExitStack()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the Sentinels are."""
        return [(HOST, sentinel.port) for sentinel in self.sentinels]

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            for server in (self.master, self.replica, *self.sentinels):
                starting.enter_context(server)
            self._wait_until_known()
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.close()

    def replace_master(self) -> None:
        """Kill the master, whose replica has all that was acknowledged and takes over."""
        _wait(self._has_followed, "the replica does not follow")
        self.master.kill()
        _wait(self._has_failed_over, "the replica does not take over")

    def _has_followed(self) -> bool:
        with self.master.client() as client:
            info = client.info("replication")
        return int(info["slave0"]["offset"]) >= int(info["master_repl_offset"])

    def _has_failed_over(self) -> bool:
        """Whether the first Sentinel names the replica. Asks it to, as often as it takes."""
        with self.sentinels[0].client() as client, self.replica.client() as replica:
            if replica.info("replication")["role"] == "slave":
                with suppress(redis.ResponseError):  # it is at it, or takes the replica for gone
                    client.execute_command("SENTINEL FAILOVER", self.service)
                return False
            return int(client.sentinel_master(self.service)["port"]) == self.replica.port

    def _wait_until_known(self) -> None:
        _wait(
            lambda: self._is_replicated() and all(s.knows_all() for s in self.sentinels),
            "the Sentinels do not find each other",
        )

    def _is_replicated(self) -> bool:
        with self.master.client() as client:
            info = client.info("replication")
        return bool(info["connected_slaves"] == 1 and info["slave0"]["state"] == "online")


class _Sentinel(RedisServer):
    """A Sentinel: it watches the master and takes part in the choice of a new one."""

    def __init__(self, service: str, master: int) -> None:
        super().__init__(name="redis-sentinel")
        self._service = service
        self._master = master

    def prepare(self) -> None:
        lines = [
            f"sentinel monitor {self._service} {HOST} {self._master} 2",
            f"sentinel down-after-milliseconds {self._service} {_PATIENCE:.0f}000",
            f"sentinel failover-timeout {self._service} {_PATIENCE:.0f}000",
        ]
        (self.folder / "sentinel.conf").write_text("\n".join(lines))

    def command(self) -> list[str]:
        place = ["--port", str(self.port), "--bind", HOST, "--dir", str(self.folder)]
        return [str(program("REDIS")), str(self.folder / "sentinel.conf"), "--sentinel", *place]

    def knows_all(self) -> bool:
        with self.client() as client:
            answer = client.sentinel_master(self._service)
        return int(answer["num-other-sentinels"]) == 2 and int(answer["num-slaves"]) == 1


@cache
def certificate() -> Path:
    """A folder with `cert.pem` and `key.pem` for the loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    folder = Path(tempfile.mkdtemp(prefix="turnlog-tls-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder
