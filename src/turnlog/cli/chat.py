"""`turnlog chat`."""

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from turnlog import sync
from turnlog.agents import Agent, OfflineModel, Runner
from turnlog.cli.errors import told
from turnlog.cli.stores import StoreOption, named
from turnlog.cli.text import plain
from turnlog.session import StoredSession
from turnlog.store import Store

__all__ = ["chat"]

_LABEL = "The model is turnlog's offline one: a few patterns, not an LLM."


def chat(
    session: Annotated[str, typer.Option(help="Which conversation to go on with.")] = "default",
    store: StoreOption = "turnlog.db",
) -> None:
    """Talk with an agent that remembers. `exit` or Ctrl-D ends; the conversation stays."""
    with told(store):
        opened = named(store)
        try:
            _talk(opened, session)
        finally:
            sync.run(opened.aclose)


def _talk(store: Store, session_id: str) -> None:
    agent = Agent("Assistant", instructions="Answer briefly.", model=OfflineModel())
    session = StoredSession(session_id, store)
    remembered = len(sync.run(session.get_items))
    typer.echo(f"{_LABEL}\nSession {plain(session_id)}: {remembered} items remembered.", err=True)
    for line in _lines():
        result = Runner.run_sync(agent, line, session=session)
        typer.echo(plain(result.final_output))


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
