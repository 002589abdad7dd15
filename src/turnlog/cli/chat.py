"""`turnlog chat`: a conversation with an agent, in the terminal."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Annotated

import typer

from turnlog.agents import (
    Agent,
    RawResponsesStreamEvent,
    RunItemStreamEvent,
    Runner,
    StreamEvent,
    ToolCallItem,
)
from turnlog.cli.errors import errors_reported
from turnlog.cli.models import assistant, model_notice
from turnlog.cli.stores import Access, KeyFileOption, StoreOption, opened
from turnlog.cli.text import one_line, plain
from turnlog.conversation.session import StoredSession
from turnlog.store import Store

__all__ = ["chat"]


def chat(
    session: Annotated[str, typer.Option(help="Id of the session to continue.")] = "default",
    store: StoreOption = "turnlog.db",
    key_file: KeyFileOption = None,
) -> None:
    """Chat with an agent that remembers the conversation.

    Type exit or press Ctrl-D to leave; the conversation stays in the store. Ctrl-C stops an
    answer and continues the chat.
    """
    access = Access(store, key_file)
    with errors_reported(store), asyncio.Runner() as loop:
        chosen = opened(access)
        try:
            _talk(loop, chosen, session)
        finally:
            loop.run(chosen.aclose())


def _talk(loop: asyncio.Runner, store: Store, session_id: str) -> None:
    session = StoredSession(session_id, store)
    remembered = len(loop.run(session.get_items()))
    typer.echo(
        f"{model_notice()}\nSession {one_line(session_id)}: {remembered} items remembered.",
        err=True,
    )
    agent = assistant()
    for line in _lines():
        try:
            loop.run(_answer(agent, line, session))
        except KeyboardInterrupt:
            typer.echo("\n(stopped)", err=True)


async def _answer(agent: Agent, line: str, session: StoredSession) -> None:
    """Print the answer while it is streamed."""
    result = Runner.run_streamed(agent, line, session=session)
    async with aclosing(result.stream_events()) as events:
        async for event in events:
            _show(event)
    typer.echo()


def _show(event: StreamEvent) -> None:
    if isinstance(event, RawResponsesStreamEvent):
        typer.echo(plain(event.data.delta), nl=False)
    elif isinstance(event, RunItemStreamEvent) and isinstance(event.item, ToolCallItem):
        typer.echo(f"({one_line(str(event.item.raw_item.get('name', 'a tool')))} …)", err=True)


def _lines() -> Iterator[str]:
    """The lines that the user enters, until the end of input, `exit`, or Ctrl-C."""
    prompt = "you> " if sys.stdin.isatty() and sys.stdout.isatty() else ""
    while True:
        try:
            line = input(prompt).strip()
        except (EOFError, KeyboardInterrupt):
            if prompt:
                typer.echo(err=True)  # so that the shell's prompt is on a new line
            return
        if line in {"exit", "quit"}:
            return
        if line:
            yield line
