"""Lazy names: a module's public names, each imported when it is first used."""

import sys
from collections.abc import Mapping
from importlib import import_module

__all__ = ["LazyNames"]

#: The third-party package without which a module can't be imported.
_NEEDED = {
    "turnlog.agents.models.openai.chat": "openai",
    "turnlog.agents.models.openai.client": "openai",
    "turnlog.agents.models.openai.compacting": "openai",
    "turnlog.agents.models.openai.responses": "openai",
    "turnlog.layers.encrypted": "cryptography",
    "turnlog.layers.encryption.keyring": "cryptography",
    "turnlog.layers.encryption.passphrase": "cryptography",
    "turnlog.sessions.dapr": "dapr",
    "turnlog.sessions.encrypt": "cryptography",
    "turnlog.sessions.encrypted": "cryptography",
    "turnlog.sessions.openai_compaction": "openai",
    "turnlog.sessions.openai_conversations": "openai",
    "turnlog.sessions.redis": "redis",
    "turnlog.sessions.sqlalchemy": "sqlalchemy",
    "turnlog.sync.dapr": "dapr",
    "turnlog.sync.encrypted": "cryptography",
    "turnlog.sync.openai_compaction": "openai",
    "turnlog.sync.openai_conversations": "openai",
    "turnlog.sync.redis": "redis",
    "turnlog.sync.sqlalchemy": "sqlalchemy",
}


class LazyNames:
    """The public names of a module that are defined in other modules.

    module: the module that has the names.
    homes: for each name, the module that defines it.

    A name whose extra is not installed is not listed, and `hasattr` is False for it. Importing
    it raises the `ImportError` that says what to install.
    """

    def __init__(self, module: str, homes: Mapping[str, str]) -> None:
        self._module = module
        self._homes = homes

    def listed(self) -> list[str]:
        """The names that can be imported with what is installed, sorted."""
        from importlib.util import find_spec  # noqa: PLC0415 - seldom needed, and costs 5 ms

        needed = sorted({_NEEDED[home] for home in self._homes.values() if home in _NEEDED})
        missing = {package for package in needed if find_spec(package) is None}
        return sorted(
            name for name, home in self._homes.items() if _NEEDED.get(home) not in missing
        )

    def resolve(self, name: str) -> object:
        """The value of `name`; this is the module's `__getattr__`."""
        if name == "__all__":
            return self.listed()
        home = self._homes.get(name)
        if home is None:
            raise AttributeError(f"module {self._module!r} has no attribute {name!r}")
        try:
            value: object = getattr(import_module(home), name)
        except ImportError as error:
            if self._is_import(sys._getframe(1).f_globals):  # noqa: SLF001 - the only way to tell
                raise
            raise AttributeError(f"{self._module}.{name} is not available: {error}") from error
        setattr(sys.modules[self._module], name, value)
        return value

    def _is_import(self, caller: Mapping[str, object]) -> bool:
        """Whether this is `from module import name`, and not an access to an attribute.

        Python's import machinery asks a package for the attribute first, and drops an
        `AttributeError` and its text. With a plain module, the two can't be told apart.
        """
        is_package = hasattr(sys.modules[self._module], "__path__")
        return not is_package or caller.get("__name__") == "importlib._bootstrap"
