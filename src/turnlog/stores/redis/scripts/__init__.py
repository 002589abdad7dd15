"""Lua scripts that run inside the server, each as one atomic step.

committing: commit, delete, adopt. reading: ranges of records, heads. listing: the directory.
"""

from turnlog.stores.redis.scripts.committing import ADOPT, COMMIT, DELETE
from turnlog.stores.redis.scripts.listing import DROP, ENTER, MARK, PAGE, TAKEN
from turnlog.stores.redis.scripts.reading import HEADS, LIFE, RANGE
from turnlog.stores.redis.scripts.script import Script

__all__ = [
    "ADOPT",
    "COMMIT",
    "DELETE",
    "DROP",
    "ENTER",
    "HEADS",
    "LIFE",
    "MARK",
    "PAGE",
    "RANGE",
    "TAKEN",
    "Script",
]
