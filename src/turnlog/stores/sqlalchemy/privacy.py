"""Privacy: errors of a database without the values that they quote."""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError

__all__ = ["without_values"]

#: Quoted values in the first line: PostgreSQL has them at its end, MySQL before a column.
_QUOTING = re.compile(r"""(: ".*$|(?<=value): '.*' (?=for ))""")


def without_values(error: DBAPIError) -> DBAPIError:
    """`error`, with its text cut down to what can't quote an item.

    Databases add the refused row to their messages. Kind, code and constraint stay.
    """
    error.hide_parameters = True
    seen: BaseException | None = error
    chain: list[BaseException] = []
    while seen is not None and seen not in chain:
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    if error.orig is not None and error.orig not in chain:
        chain.append(error.orig)
    for each in chain:
        _cut(each)
    return error


def _cut(error: BaseException) -> None:
    error.args = tuple(_first_line(arg) if isinstance(arg, str) else arg for arg in error.args)
    for name in ("detail", "context", "hint", "query", "internal_query", "where"):  # asyncpg's own
        if isinstance(getattr(error, name, None), str):
            setattr(error, name, None)


def _first_line(text: str) -> str:
    return _QUOTING.sub("", text.partition("\n")[0])
