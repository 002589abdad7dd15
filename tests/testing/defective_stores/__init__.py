"""Defective stores, each with one defect that the kit has to find."""

from types import ModuleType

from tests.testing.defective_stores import (
    atomicity,
    changes,
    conditions,
    existence,
    handles,
    keys,
    reading,
    records,
    replacing,
)
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore


class Sound(MemoryStore):
    """Has no defect: the kit has to pass."""


def _defects(module: ModuleType) -> dict[str, type[Store]]:
    return {
        name: store
        for name, store in vars(module).items()
        if isinstance(store, type)
        and issubclass(store, Store)
        and store.__module__ == module.__name__
        and not name.startswith("_")
    }


#: Every defective store, by its name.
DEFECTS: dict[str, type[Store]] = {
    **_defects(atomicity),
    **_defects(changes),
    **_defects(conditions),
    **_defects(existence),
    **_defects(handles),
    **_defects(keys),
    **_defects(reading),
    **_defects(records),
    **_defects(replacing),
}
