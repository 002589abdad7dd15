"""A summariser that lists what it stands for, so that tests see whether anything is lost or twice.

Each item of such a test has a number. The summary is a message with the list of the numbers.
"""

import json

from tests.providers.view_rules import accepted
from turnlog import Item, StoredSession
from turnlog.items.repair import INTERRUPTED

__all__ = ["checked", "listing", "numbered_turn", "numbers"]


def numbered_turn(first: int, *, calls: bool = False) -> list[Item]:
    """A turn whose items have the numbers from `first` on."""
    question: Item = {"role": "user", "content": f"{first}"}
    answer: Item = {"role": "assistant", "content": f"{first + 3 if calls else first + 1}"}
    if not calls:
        return [question, answer]
    named = {"call_id": f"c{first}"}
    return [
        question,
        {"type": "function_call", "name": "look", "arguments": f'{{"n": {first + 1}}}', **named},
        {"type": "function_call_output", "output": f"{first + 2}", **named},
        answer,
    ]


async def listing(items: list[Item]) -> list[Item]:
    """The summary of `items`: one message with their numbers. Pairs must be whole."""
    accepted(items)
    return [{"role": "user", "content": f"list {json.dumps(numbers(items))}"}]


def numbers(items: list[Item]) -> list[int]:
    """The numbers of the items, also of those that a summary stands for."""
    return [number for item in items for number in _numbers(item)]


def _numbers(item: Item) -> list[int]:
    if "arguments" in item:
        return [json.loads(item["arguments"])["n"]]
    text = item.get("output") or item["content"]
    if text == INTERRUPTED:
        return []  # it was made up for a call whose output was popped
    return json.loads(text[5:]) if text.startswith("list ") else [int(text)]


async def checked(session: StoredSession) -> list[int]:
    """The numbers on a branch at rest. Nothing has disappeared, and nothing is shown twice."""
    history = numbers(await session.history())
    assert numbers(await session.get_items()) == history
    shown = await session.view()
    accepted(shown)
    assert [each.item for each in (await session.explain()).shown] == shown
    return history
