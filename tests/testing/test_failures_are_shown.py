"""Failures of the kit: pytest shows the values of its assertions, as of those in test files."""

from importlib import import_module
from pkgutil import walk_packages

import turnlog.testing


def test_assertions_of_all_modules_are_rewritten() -> None:
    found = walk_packages(turnlog.testing.__path__, f"{turnlog.testing.__name__}.")
    modules = [import_module(module.name) for module in found]
    assert modules
    assert [each.__name__ for each in modules if "@pytest_ar" not in vars(each)] == []
