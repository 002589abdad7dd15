"""`turnlog chat`."""

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
from turnlog.cli.errors import told
from turnlog.cli.models import assistant, label
from turnlog.cli.stores import StoreOption, named
from turnlog.cli.text import one_line, plain
from turnlog.conversation.session import StoredSession
from turnlog.store import Store

__all__ = ["chat"]


def chat(
    session: Annotated[str, typer.Option(help="Which conversation to go on with.")] = "default",
    store: StoreOption = "turnlog.db",
) -> None:
    """Talk with an agent that remembers. `exit` or Ctrl-D ends; the conversation stays.

    Ctrl-C in the middle of an answer breaks it off, and the conversation goes on.
    """
    with told(store), asyncio.Runner() as loop:
        opened = named(store)
        try:
            _talk(loop, opened, session)
        finally:
            loop.run(opened.aclose())


def _talk(loop: asyncio.Runner, store: Store, session_id: str) -> None:
    session = StoredSession(session_id, store)
    remembered = len(loop.run(session.get_items()))
    typer.echo(
        f"{label()}\nSession {one_line(session_id)}: {remembered} items remembered.", err=True
    )
    agent = assistant()
    for line in _lines():
        try:
            loop.run(_answer(agent, line, session))
        except KeyboardInterrupt:
            typer.echo("\n(broken off)", err=True)


async def _answer(agent: Agent, line: str, session: StoredSession) -> None:
    """Print the answer as it comes."""
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
    """What the user says, until the end of input, `exit`, or Ctrl-C at the prompt."""
    prompt = "you> " if sys.stdin.isatty() and sys.stdout.isatty() else ""
    while True:
        try:
            line = input(prompt).strip()
        except (EOFError, KeyboardInterrupt):
            if prompt:
                typer.echo(err=True)  # the shell's own prompt goes on a line of its own
            return
        if line in {"exit", "quit"}:
            return
        if line:
            yield line
