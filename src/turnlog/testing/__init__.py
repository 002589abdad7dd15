"""What a store or session has to keep, as tests that anybody can run on their own.

    StoreTests            the contract of a store; inherit it, say how one is made
    ForkTests             a store beyond this process, used by parent and forked child; likewise
    SessionTests          the promise of any session's four verbs; inherit it likewise
    StoredSessionTests    what every session over a store promises beyond that
    ClosableSessionTests  and what those promise that can be closed
    stores_agree          two stores, driven at random, must give the same answers
    Failing               a store that fails on purpose

Needs `pip install 'turnlog[testing]'`.
"""

try:
    import anyio  # noqa: F401 - pytest runs async tests through it, or leaves them out
    import pytest

    pytest.register_assert_rewrite(
        "turnlog.testing.forks",
        "turnlog.testing.looking",
        "turnlog.testing.machine",
        "turnlog.testing.promises",
        "turnlog.testing.sessions",
        "turnlog.testing.stored_sessions",
    )

    from turnlog.testing.failing import Failing, Failure, Plan, first_calls_of, never
    from turnlog.testing.forks import ForkTests
    from turnlog.testing.machine import MakeStore, stores_agree
    from turnlog.testing.sessions import MakeSession, SessionTests
    from turnlog.testing.stored_sessions import ClosableSessionTests, StoredSessionTests
    from turnlog.testing.stores import StoreTests
except ModuleNotFoundError as error:
    if error.name not in {"anyio", "hypothesis", "pytest"}:
        raise
    raise ImportError(
        f"turnlog.testing needs {error.name}: pip install 'turnlog[testing]'", name=error.name
    ) from error

__all__ = [
    "ClosableSessionTests",
    "Failing",
    "Failure",
    "ForkTests",
    "MakeSession",
    "MakeStore",
    "Plan",
    "SessionTests",
    "StoreTests",
    "StoredSessionTests",
    "first_calls_of",
    "never",
    "stores_agree",
]
