"""An extension of griffe: docstrings and base classes as the API reference shows them.

- A parameter that a docstring describes in a line of its own, "limit: the most items", with
  longer text indented below it, becomes an entry of a list. Markdown would run such lines together.
- A comment that begins with `#:` is the docstring of the attribute below it.
- The fields of a NamedTuple are listed like parameters.
- A base class without an entry in the reference is left out: its own bases, its members and
  what it says of the parameters stand in the entry of the class.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from copy import copy

import griffe

_ENTRY = re.compile(r"^(?P<names>\**\w+(?:, \**\w+)*): (?P<text>.+)$")

#: What `make docs` has entries for: the names of these modules, where they are defined.
_DOCUMENTED = ("", "errors", "sync", "sync.session", "testing", "layers.traced")


class Docstrings(griffe.Extension):
    """Rewrites the docstrings and the bases of the package."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Rewrite them, once the whole package is known."""
        things = list(_all_in(pkg))
        for thing in things:
            if isinstance(thing, griffe.Attribute) and thing.docstring is None:
                _set_docstring(thing, _comment_above(thing))
        for thing in things:
            if isinstance(thing, griffe.Class):
                _set_docstring(thing, _with_fields(thing))
        documented = set(_documented(pkg))
        for thing in things:
            if isinstance(thing, griffe.Class) and thing.path in documented:
                _replace_bases(thing, documented)
        for thing in things:
            if thing.docstring is not None:
                thing.docstring.value = _listed(thing.docstring.value, set(_described(thing)))


def _all_in(thing: griffe.Object) -> Iterator[griffe.Object]:
    yield thing
    for member in thing.members.values():
        if isinstance(member, griffe.Object):  # not an alias, which stands for another's
            yield from _all_in(member)


def _set_docstring(thing: griffe.Object, text: str) -> None:
    if thing.docstring is not None:
        thing.docstring.value = text
    elif text:
        thing.docstring = griffe.Docstring(text, parent=thing)


def _text_of(thing: griffe.Object) -> str:
    return thing.docstring.value if thing.docstring is not None else ""


def _comment_above(attribute: griffe.Attribute) -> str:
    """The text of the `#:` lines right above `attribute`."""
    above = attribute.lines_collection[attribute.filepath][: (attribute.lineno or 1) - 1]
    text: list[str] = []
    while above and above[-1].lstrip().startswith("#:"):
        text.insert(0, above.pop().strip().removeprefix("#:").strip())
    return "\n".join(text)


def _with_fields(thing: griffe.Class) -> str:
    """The docstring of a class; that of a NamedTuple also lists the fields."""
    text = _text_of(thing)
    if not any(str(base) == "NamedTuple" for base in thing.bases):
        return text
    entries = map(_ENTRY.match, text.splitlines())
    described = {name for entry in entries if entry for name in entry["names"].split(", ")}
    fields = [
        member
        for member in thing.members.values()
        if member.is_attribute and "property" not in member.labels and member.name not in described
    ]
    lines = [f"- `{each.name}: {each.annotation}`{_said_of(each)}" for each in fields]
    for each in fields:
        each.docstring = None  # the list says it
    return "\n".join([text, "", *lines])


def _said_of(field: griffe.Object) -> str:
    text = " ".join(_text_of(field).split())
    return f": {text}" if text else ""


def _documented(pkg: griffe.Module) -> Iterator[str]:
    """The paths of the classes that have an entry, as they are defined."""
    for name in _DOCUMENTED:
        module = pkg[name] if name else pkg
        for member in module.members.values():
            with suppress(griffe.AliasResolutionError):  # another package's, such as AsyncOpenAI
                yield member.final_target.path if member.is_alias else member.path


def _replace_bases(thing: griffe.Class, documented: Collection[str]) -> None:
    """Leave out the bases that have no entry, and keep what they bring."""
    kept: list[str | griffe.Expr] = []
    pending = list(thing.bases)
    while pending:
        base = pending.pop(0)
        found = _class_of(thing, base)
        if found is None or found.path in documented:
            kept.append(base)
        else:
            _take_over(thing, found)
            pending = [*found.bases, *pending]
    thing.bases = [base for base in kept if str(base).split("[")[0] not in {"ABC", "Generic"}]


def _take_over(thing: griffe.Class, base: griffe.Class) -> None:
    """Give `thing` the members of `base`, and the parameters' text if it takes the same ones."""
    if "__init__" not in thing.members and "__init__" in base.members:
        summary, *rest = _text_of(base).split("\n\n")
        _set_docstring(thing, "\n\n".join([_text_of(thing) or summary, *rest]))
    for name, member in base.members.items():
        if name not in thing.members and not member.is_alias:
            taken = copy(member)
            taken.parent = thing
            thing.members[name] = taken


def _class_of(thing: griffe.Class, base: str | griffe.Expr) -> griffe.Class | None:
    """The class of this package that `base` names; None for any other package's."""
    path = base if isinstance(base, str) else base.canonical_path
    if not path.startswith(f"{thing.package.path}."):
        return None
    found = thing.modules_collection[path]
    found = found.final_target if found.is_alias else found
    return found if isinstance(found, griffe.Class) else None


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
