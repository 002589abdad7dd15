"""Free ports for servers that tests start, stop and start again on the same port."""

import random
import socket
from pathlib import Path

__all__ = ["HOST", "free_port"]

HOST = "127.0.0.1"


def _ports() -> range:
    """Those below what the kernel gives to outgoing connections.

    While a server is down, such a connection could be given its port.
    """
    try:
        end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        end = 32_768
    return range(end // 2, end) if end >= 10_000 else range(15_000, 32_000)


_PORTS = _ports()

#: Holds the UDP port of the same number, which no server here uses, as long as this process
#: lives. So no other test process is given the port, also while its server is down.
_held: list[socket.socket] = []


def free_port() -> int:
    """A port that is free, and that no other test process gets at the same time."""
    while True:
        # Not from `random`'s own state, which Hypothesis sets, the same in each process.
        port = random.SystemRandom().choice(_PORTS)
        holding = _bound(port, socket.SOCK_DGRAM)
        if holding is None:
            continue
        trying = _bound(port, socket.SOCK_STREAM)
        if trying is None:
            holding.close()
            continue
        trying.close()
        _held.append(holding)
        return port


def _bound(port: int, kind: socket.SocketKind) -> socket.socket | None:
    made = socket.socket(socket.AF_INET, kind)
    try:
        made.bind((HOST, port))
    except OSError:
        made.close()
        return None
    return made
