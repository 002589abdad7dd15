"""Settings: a dict that can be read, copied and passed on, but not changed."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from turnlog import SessionSettings


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings.__setitem__("limit", 5),
        lambda settings: settings.__delitem__("limit"),
        lambda settings: settings.__ior__({"limit": 5}),
        lambda settings: settings.update(limit=5),
        lambda settings: settings.setdefault("max_tokens", 5),
        lambda settings: settings.pop("limit"),
        lambda settings: settings.popitem(),
        lambda settings: settings.clear(),
    ],
)
def test_settings_cannot_be_changed_as_a_dict(change: Callable[[Any], object]) -> None:
    settings = SessionSettings(limit=2)
    with pytest.raises(TypeError, match=r"can't be changed; use settings\.resolve"):
        change(settings)
    assert settings == {"limit": settings.limit} == {"limit": 2}


def _pickled(settings: SessionSettings) -> Any:
    return pickle.loads(pickle.dumps(settings))  # noqa: S301 - made in the same line


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, dataclasses.replace, _pickled],
)
def test_settings_can_be_copied_and_pickled(again: Callable[[Any], Any]) -> None:
    settings = SessionSettings(limit=2, max_turns=3)
    copied = again(settings)
    assert type(copied) is SessionSettings
    assert (copied.limit, copied.max_turns, dict(copied)) == (2, 3, dict(settings))
    assert settings | {"limit": 4} == {"limit": 4, "max_turns": 3}
