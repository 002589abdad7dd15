"""An extension of griffe: parameters that a docstring describes become a list.

Our docstrings describe a parameter in a line of its own, "limit: at most so many items",
with longer text indented below it. Markdown would run such lines together.
"""

import re
from collections.abc import Collection, Iterator

import griffe

_ENTRY = re.compile(r"^(?P<names>\**\w+(?:, \**\w+)*): (?P<text>.+)$")


class Parameters(griffe.Extension):
    """Makes a list of the parameters that the docstring of a class or function describes."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Rewrite all docstrings, once the whole package is known."""
        for thing in _all_in(pkg):
            if thing.docstring is not None:
                thing.docstring.value = _listed(thing.docstring.value, set(_described(thing)))


def _all_in(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    for member in thing.members.values():
        if isinstance(member, griffe.Object):  # not an alias, which stands for another's
            yield from _all_in(member)


def _described(thing: griffe.Object) -> Iterator[str]:
    """The names of the parameters and fields of `thing`."""
    if isinstance(thing, griffe.Class | griffe.Function):
        yield from (parameter.name.lstrip("*") for parameter in thing.parameters)
    if isinstance(thing, griffe.Class):
        yield from (name for name, member in thing.members.items() if member.is_attribute)


def _listed(text: str, names: Collection[str]) -> str:
    """`text` with the lines that describe one of `names` as a Markdown list."""
    lines: list[str] = []
    is_list = False
    for line in text.splitlines():
        entry = _ENTRY.match(line)
        if entry and all(name.lstrip("*") in names for name in entry["names"].split(", ")):
            lines += [*([] if is_list else [""]), f"- `{entry['names']}`: {entry['text']}"]
            is_list = True
        else:
            is_list = is_list and line.startswith(" ")
            lines.append(line)
    return "\n".join(lines)
