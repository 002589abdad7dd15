"""Errors: every error that Turnlog raises itself, in one tree.

Each one also derives from the builtin it resembles, so that code for Python's own errors keeps
working. Errors of a driver pass through unchanged, unless we know more about the cause.

    TurnlogError
    ├── AppendUncertain (RuntimeError)  whether a provider has stored some items can't be known
    ├── BranchDeleted   (ValueError)    the branch that was to be written to was deleted
    ├── BranchNameUsed  (ValueError)    a branch of the conversation has or had this name
    ├── Conflict        (RuntimeError)  a log or its note was not what the writer expected
    ├── FileReplaced    (RuntimeError)  the database file was moved or deleted while it was open
    ├── IncompleteAppend (RuntimeError) some of the items are stored at a provider, and others not
    ├── InvalidItem     (TypeError)     an item has no JSON form; nothing was written
    ├── KeyReused       (ValueError)    the key of a write or a run was used for other contents
    ├── LeaseLost       (RuntimeError)  the run lost its lease on the session; nothing was written
    ├── MaxTurnsExceeded (RuntimeError) the model was called as often as allowed, without an answer
    ├── ModelBehaviorError (ValueError) the answer of a model can't be used
    ├── NoSuchBranch    (ValueError)    the conversation has no branch of this name
    ├── NoSuchRecord    (ValueError)    the branch has no record at this position
    ├── NoSuchTurn      (ValueError)    the branch has no turn of this number
    ├── NotSupported    (NotImplementedError) this kind of session can't do that
    ├── PopUncertain    (RuntimeError)  an item may be gone, and it is not known by whose call
    ├── RecordChanged   (Conflict)      a record that was to be replaced is gone or was replaced
    ├── SchemaError     (RuntimeError)  tables are missing, can't be used, or are of a newer version
    ├── SessionBusy     (RuntimeError)  another run is in progress on the session
    ├── SessionWaitTimeout (SessionBusy, TimeoutError) another one was in progress for too long
    ├── StoreClosed     (RuntimeError)  the session or store was used after it was closed
    ├── StoreUnreachable (ConnectionError) the server of a store can't be reached
    ├── TurnEnded       (LeaseLost)     the turn was used after its end; nothing was written
    └── Unreadable      (ValueError)    a stored record can't be decoded or decrypted

No error text quotes the contents of an item.
"""

from turnlog.errors.providers import AppendUncertain, IncompleteAppend, PopUncertain
from turnlog.errors.root import TurnlogError
from turnlog.errors.runs import (
    LeaseLost,
    MaxTurnsExceeded,
    ModelBehaviorError,
    SessionBusy,
    SessionWaitTimeout,
    TurnEnded,
)
from turnlog.errors.sessions import (
    BranchDeleted,
    BranchNameUsed,
    InvalidItem,
    NoSuchBranch,
    NoSuchRecord,
    NoSuchTurn,
    NotSupported,
)
from turnlog.errors.stores import (
    Conflict,
    FileReplaced,
    KeyReused,
    RecordChanged,
    SchemaError,
    StoreClosed,
    StoreUnreachable,
    Unreadable,
)

__all__ = [
    "AppendUncertain",
    "BranchDeleted",
    "BranchNameUsed",
    "Conflict",
    "FileReplaced",
    "IncompleteAppend",
    "InvalidItem",
    "KeyReused",
    "LeaseLost",
    "MaxTurnsExceeded",
    "ModelBehaviorError",
    "NoSuchBranch",
    "NoSuchRecord",
    "NoSuchTurn",
    "NotSupported",
    "PopUncertain",
    "RecordChanged",
    "SchemaError",
    "SessionBusy",
    "SessionWaitTimeout",
    "StoreClosed",
    "StoreUnreachable",
    "TurnEnded",
    "TurnlogError",
    "Unreadable",
]

# They are known by this module's name: in spans, logs and pickles, wherever they are defined.
for _name in __all__:
    globals()[_name].__module__ = __name__
