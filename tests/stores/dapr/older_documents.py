"""Documents of sessions as older versions wrote them."""

import base64
import json
from typing import Any

from tests import ROOT
from tests.servers.dapr_sidecar import Kept, Sidecar
from turnlog.stores.dapr.keys import digest

__all__ = ["EPOCH", "put_older", "put_sample"]

EPOCH = 1_700_000_000_000_000


def put_sample(sidecar: Sidecar) -> None:
    """Store the documents that an older version has written."""
    path = ROOT / "tests" / "data" / "older" / "dapr.json"
    for key, data in json.loads(path.read_text()).items():
        _put(sidecar, key, base64.b64decode(data))


def put_older(sidecar: Sidecar) -> None:
    """Store session "s": three records and 41 keys in "main", a note in "side", and the rest
    of a log that a deletion has left behind."""
    life, first = "b" * 12, EPOCH + 10
    sealed = [[first, 1], [first, 1], ["zero", "one"]]
    names = [digest(f"old {n}") for n in range(40)]
    refs = [["p.0", 0, 2, first, first + 1]]
    lists = [["p.1", 0, 40, 0, 0]]
    tail = [[first + 2], [first + 2], ["two"]]
    keys = [[digest("newest"), first + 2]]
    none: list[Any] = [[], [], []]
    bodies = {
        "turnlog:s:logs": [EPOCH, ["main", "side"], 5, EPOCH],
        "turnlog:s:main:head": [
            *(True, EPOCH, life, first + 2, first, first + 2, ""),
            *(refs, tail, keys, lists, None),
        ],
        "turnlog:s:side:head": [
            *(True, EPOCH, "c" * 12, first, first, first, "note"),
            *([], none, [], [], None),
        ],
    }
    for key, body in bodies.items():
        _put(sidecar, key, json.dumps([7, ["w"], body]).encode())
    _put(sidecar, "turnlog:s:main:dp.0", json.dumps(sealed).encode())
    _put(sidecar, "turnlog:s:main:dp.1", json.dumps(names).encode())
    for name in names:
        _put(sidecar, f"turnlog:s:main:k{name}", json.dumps([life, first]).encode())


def _put(sidecar: Sidecar, key: str, data: bytes) -> None:
    sidecar.component.documents[key] = Kept(data, f"old {key}", None, None)
