"""Dapr: logs in a state store component, through its sidecar.

store ──▶ adoption, commits, listing ──▶ sessionfile ──▶ draft ──▶ root, replacing
               sessionfile, directory ──▶ cells ──▶ sidecar ──▶ clients
                            └── tree, sealed: documents that never change
"""

from turnlog.stores.dapr.clients import at_address
from turnlog.stores.dapr.sidecar import (
    DAPR_CONSISTENCY_EVENTUAL,
    DAPR_CONSISTENCY_STRONG,
    PATIENCE,
    ConsistencyLevel,
)
from turnlog.stores.dapr.store import DaprStore

__all__ = [
    "DAPR_CONSISTENCY_EVENTUAL",
    "DAPR_CONSISTENCY_STRONG",
    "PATIENCE",
    "ConsistencyLevel",
    "DaprStore",
    "at_address",
]
