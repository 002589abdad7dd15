"""Shortened outputs: which ones, what stands in their place, and when that changes."""

import pytest

from tests.sample_items import answer, call, output, user
from turnlog import Item, Shorten
from turnlog.items.shortening import shortened

LONG = "line " * 200


def talk(turns: int, *, arguments: str | None = None, text: str = LONG) -> list[Item]:
    """Turns with a question, a call, its output and an answer."""
    items: list[Item] = []
    for n in range(turns):
        given = f'{{"n": {n}}}' if arguments is None else arguments
        items += [user(f"q{n}"), call("read", n, given), output(text, n), answer("a")]
    return items


def marked(items: list[Item], how: Shorten, before: int = 0) -> list[int]:
    """The turns whose output is a marker."""
    positions = range(100, 100 + len(items))
    done = shortened(items, positions, how, before)
    changed = [
        n for n, (one, other) in enumerate(zip(items, done.items, strict=True)) if one != other
    ]
    assert changed == sorted(done.why)
    return [place // 4 for place in changed]


def test_the_newest_turns_are_shown_in_full() -> None:
    how = Shorten(keep=2, step=1)
    assert marked(talk(5), how) == [0, 1, 2]
    assert marked(talk(2), how) == []


def test_the_boundary_moves_by_steps() -> None:
    how = Shorten(keep=2, step=4)
    assert [len(marked(talk(turns), how)) for turns in range(4, 12)] == [0, 0, 4, 4, 4, 4, 8, 8]


def test_turns_that_a_summary_covers_count() -> None:
    how = Shorten(keep=2, step=4)
    everything, later = talk(11), talk(11)[12:]
    assert marked(later, how, before=3) == [n - 3 for n in marked(everything, how) if n >= 3]


def test_short_outputs_and_other_items_stay() -> None:
    how = Shorten(keep=1, step=1, larger_than=10)
    assert marked(talk(4, text="0123456789"), how) == []
    assert marked(talk(4, text="0123456789!"), how) == [0, 1, 2]


def test_a_marker_tells_the_size_and_the_id() -> None:
    items = talk(3)
    done = shortened(items, range(100, 112), Shorten(keep=1, step=1))
    text = '[An output of 1000 characters is not shown. To see it, call recall with id "102".]'
    assert done.items[2] == {**items[2], "output": text}
    assert items[2]["output"] == LONG, "the item itself stays"


def test_outputs_in_parts_are_shortened() -> None:
    parts = [{"type": "input_text", "text": LONG}]
    items = [user("q"), call("read"), output(parts), answer("a"), user("r")]
    done = shortened(items, range(1, 6), Shorten(keep=1, step=1))
    assert "To see it, call recall" in done.items[2]["output"]


def test_of_equal_calls_the_newest_output_is_shown() -> None:
    how = Shorten(keep=50, step=1, larger_than=10**6)
    items = talk(5, arguments='{"path": "a"}')
    assert marked(items, how) == [0, 1, 2]
    done = shortened(items, range(100, 120), how)
    assert done.items[2]["output"].startswith("[The same call was made again: see record 114.")
    assert marked(talk(5), how) == []
    assert marked(items, Shorten(keep=50, step=1, larger_than=10**6, duplicates=False)) == []


def test_calls_of_other_tools_with_the_same_arguments_are_no_repetition() -> None:
    items = [user("q"), call("read", 1), output(LONG, 1), call("look", 2), output(LONG, 2)]
    items += [answer("a"), user("r")]
    assert marked(items, Shorten(keep=50, step=1, larger_than=10**6)) == []


def test_settings_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="keep is 0"):
        Shorten(keep=0)
    with pytest.raises(ValueError, match="step is 0"):
        Shorten(step=0)
    with pytest.raises(TypeError, match="larger_than must be an int"):
        Shorten(larger_than=1.5)  # type: ignore[arg-type]
