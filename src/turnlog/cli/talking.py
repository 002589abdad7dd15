"""The talk of `turnlog chat`: what the user enters, and the answers as they are streamed."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing

import typer

from turnlog.agents import (
    Agent,
    RawResponsesStreamEvent,
    RunItemStreamEvent,
    Runner,
    StreamEvent,
    ToolCallItem,
)
from turnlog.cli.models import assistant, model_notice
from turnlog.cli.stores import Access, opened
from turnlog.cli.text import one_line, plain
from turnlog.conversation.session import StoredSession
from turnlog.store import Store

__all__ = ["remembered", "talk"]


def talk(access: Access, session_id: str) -> None:
    """Answer what the user enters, until the end of input, `exit` or Ctrl-C."""
    with asyncio.Runner() as loop:
        store = opened(access)
        try:
            _talk(loop, store, session_id)
        finally:
            loop.run(store.aclose())


def _talk(loop: asyncio.Runner, store: Store, session_id: str) -> None:
    session = StoredSession(session_id, store)
    count = loop.run(remembered(store, session_id))
    typer.echo(
        f"{model_notice()}\nSession {one_line(session_id)}: {count} items remembered.",
        err=True,
    )
    agent = assistant()
    for line in _lines():
        try:
            loop.run(_answer(agent, line, session))
        except KeyboardInterrupt:
            typer.echo("\n(stopped)", err=True)


async def remembered(store: Store, session_id: str) -> int:
    """The number of stored items. Only the newest is read: a conversation may be long.

    A wrong key of an encrypted store is an error here, before anybody has typed anything.
    """
    await StoredSession(session_id, store).get_items(1)
    heads = await store.logs(session_id)
    return sum(head.length for head in heads if head.log.name == "main")


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
