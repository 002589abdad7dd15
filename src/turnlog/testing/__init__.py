"""Test kit: the promises of stores and sessions, as tests for implementations of your own.

    StoreTests            test class: the contract of a store
    ForkTests             test class: a store that parent and forked child use
    SessionTests          test class: the four verbs of any session
    StoredSessionTests    test class: further promises of a session over a store
    ClosableSessionTests  test class: further promises of a session that can be closed
    stores_agree          function: compares two stores under random calls
    Failing               layer: fails on purpose, as a plan says

Each test class is inherited; its docstring says which fixture it needs.

Needs `pip install 'turnlog[testing]'`.
"""

from pkgutil import iter_modules

try:
    import anyio  # noqa: F401 - pytest runs async tests through it, or leaves them out
    import pytest

    pytest.register_assert_rewrite(*(f"{__name__}.{each.name}" for each in iter_modules(__path__)))

    from turnlog.testing.closable_sessions import ClosableSessionTests
    from turnlog.testing.failing import Failing, Failure, Plan, first_calls_of, never
    from turnlog.testing.forks import ForkTests
    from turnlog.testing.machine import MakeStore, stores_agree
    from turnlog.testing.sessions import MakeSession, SessionTests
    from turnlog.testing.stored_sessions import StoredSessionTests
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
