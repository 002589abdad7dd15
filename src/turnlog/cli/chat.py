"""`turnlog chat`: a conversation with an agent, in the terminal."""

from typing import Annotated

import typer

from turnlog.cli.errors import errors_reported
from turnlog.cli.stores import DEFAULT_STORE, Access, KeyFileOption, StoreOption

__all__ = ["chat"]


def chat(
    session: Annotated[str, typer.Option(help="Id of the session to continue.")] = "default",
    store: StoreOption = DEFAULT_STORE,
    key_file: KeyFileOption = None,
) -> None:
    """Chat with an agent that remembers the conversation.

    Type exit or press Ctrl-D to leave; the conversation stays in the store. Ctrl-C stops an
    answer and continues the chat.
    """
    # Agents take longer to import than all else, and the other commands do without them.
    from turnlog.cli.talking import talk  # noqa: PLC0415 - see above

    with errors_reported(store):
        talk(Access(store, key_file), session)
