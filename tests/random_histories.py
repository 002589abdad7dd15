"""Random conversations as logs may hold them: complete, broken off, or damaged by other writers.

They are made with `random`, which takes microseconds where Hypothesis takes milliseconds.
"""

from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from turnlog.items.json import Item

__all__ = ["history"]

PNG = "data:image/png;base64,iVBORw0KGgo="
_WORDS = ["rain", "Ökonomie", "snow in Oslo", "🙂", 'a "quoted" thing', "x" * 200, "1\n2"]


def history(seed: int) -> list[Item]:
    """The history of a seed: one to six turns; half of the histories are damaged."""
    rng = Random(seed)
    ids = count(1)
    items: list[Item] = []
    if rng.random() < 0.2:
        items.append({"role": rng.choice(["system", "developer"]), "content": _words(rng)})
    for _ in range(rng.randint(1, 6)):
        items.append({"role": "user", "content": _user_content(rng)})
        for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
            items += rng.choice(_STEPS)(rng, ids)
        if rng.random() < 0.8:
            items += [*_maybe_thought(rng, ids), _said(rng, ids)]
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 4)):
            rng.choice(_DAMAGES)(rng, items)
    return items


def _words(rng: Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(1, 4)))


def _user_content(rng: Random) -> object:
    if rng.random() < 0.7:
        return _words(rng)
    image = {"type": "input_image", "image_url": PNG, "detail": rng.choice(["low", "auto"])}
    return [{"type": "input_text", "text": _words(rng)}, *rng.choices([image], k=rng.randint(1, 2))]


def _said(rng: Random, ids: Iterator[int]) -> Item:
    content = [{"type": "output_text", "text": _words(rng), "annotations": []}]
    return {
        "id": f"msg_{next(ids)}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }


def _maybe_thought(rng: Random, ids: Iterator[int]) -> list[Item]:
    thought = {"type": "reasoning", "summary": [], "encrypted_content": _words(rng)}
    return [{"id": f"rs_{next(ids)}", **thought} for _ in range(rng.choice([0, 0, 1, 2]))]


def _call(rng: Random, ids: Iterator[int]) -> tuple[Item, Item]:
    """A call and its output."""
    # Some providers count their calls anew in each response.
    call_id = f"call_{rng.randint(1, 3) if rng.random() < 0.1 else next(ids)}"
    kind = rng.choice(list(_CALLS))
    call, output = _CALLS[kind]
    both = {"call_id": call_id}
    if kind == "local_shell_call":
        given = {"type": f"{kind}_output", "id": call_id, **output}
    else:
        given = {"type": f"{kind}_output", **both, **output}
    if kind in {"function_call", "custom_tool_call"}:
        given["output"] = _words(rng)
    return {"type": kind, **both, **call}, given


_SHELL = {"type": "exec", "command": ["ls"], "env": {}}
_SCREEN = {"type": "computer_screenshot", "image_url": PNG}
#: What the calls and outputs of a kind say beside their type and id. Functions twice: they are
#: what there is most of.
_CALLS: dict[str, tuple[Item, Item]] = {
    "function_call": ({"name": "look", "arguments": "{}"}, {}),
    "custom_tool_call": ({"name": "run", "input": "ls"}, {}),
    "computer_call": (
        {
            "id": "cu_1",
            "status": "completed",
            "action": {"type": "screenshot"},
            "pending_safety_checks": [],
        },
        {"output": _SCREEN},
    ),
    "local_shell_call": (
        {"id": "lsh_1", "status": "completed", "action": _SHELL},
        {"output": "a b"},
    ),
    "shell_call": ({"action": {"commands": ["ls"]}}, {"output": []}),
    "apply_patch_call": (
        {"status": "completed", "operation": {"type": "delete_file", "path": "a"}},
        {"status": "completed"},
    ),
}


def _parallel_calls(rng: Random, ids: Iterator[int]) -> list[Item]:
    pairs = [_call(rng, ids) for _ in range(rng.randint(1, 3))]
    outputs = [output for _, output in pairs]
    rng.shuffle(outputs)
    return [*_maybe_thought(rng, ids), *(call for call, _ in pairs), *outputs]


def _nested_calls(rng: Random, ids: Iterator[int]) -> list[Item]:
    """A tool that asks another agent, which writes into the same session."""
    (outer, last), inner = _call(rng, ids), _parallel_calls(rng, ids)
    return [outer, *inner, last]


def _hosted(rng: Random, ids: Iterator[int]) -> list[Item]:
    search = {
        "type": "web_search_call",
        "id": f"ws_{next(ids)}",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    return [*_maybe_thought(rng, ids), search]


def _approval(rng: Random, ids: Iterator[int]) -> list[Item]:
    name = f"mcpr_{next(ids)}"
    about = {"name": "pay", "arguments": "{}", "server_label": "bank"}
    request: Item = {"type": "mcp_approval_request", "id": name, **about}
    response: Item = {"type": "mcp_approval_response", "approval_request_id": name, "approve": True}
    done: Item = {"type": "mcp_call", "id": f"mcp_{next(ids)}", "output": "paid", **about}
    return [request, response, done][: rng.choice([1, 3, 3])]


_STEPS: list[Callable[[Random, Iterator[int]], list[Item]]] = [
    _parallel_calls,
    _parallel_calls,
    _nested_calls,
    _hosted,
    _approval,
]


def _break_off(rng: Random, items: list[Item]) -> None:
    del items[rng.randrange(len(items)) + 1 :]


def _lose_one(rng: Random, items: list[Item]) -> None:
    if len(items) > 1:
        del items[rng.randrange(len(items))]


def _write_into(rng: Random, items: list[Item]) -> None:
    message = {"role": rng.choice(["user", "user", "developer"]), "content": _words(rng)}
    items.insert(rng.randrange(len(items) + 1), message)


def _swap(rng: Random, items: list[Item]) -> None:
    place = rng.randrange(len(items))
    items[place - 1 : place + 1] = items[place - 1 : place + 1][::-1]


def _say_twice(rng: Random, items: list[Item]) -> None:
    place = rng.randrange(len(items))
    items.insert(place, items[place])


_DAMAGES: list[Callable[[Random, list[Item]], None]] = [
    _break_off,
    _lose_one,
    _write_into,
    _swap,
    _say_twice,
]
