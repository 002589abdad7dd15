"""Generated conversations in the form of the Responses API, for property tests (Hypothesis)."""

from hypothesis import strategies as st

from turnlog.items.json import Item

__all__ = ["broken_items", "histories", "plain_histories", "plain_messages"]

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQ="

# Words that can be found again, and things that trip up careless code.
words = st.text('abc é🙂"\\{}\n', min_size=1, max_size=12).filter(str.strip)
names = st.sampled_from(["weather", "search", "pay"])
details = st.sampled_from(["auto", "low", "high"])


def part(kind: str, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[Item]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


texts = part("input_text", text=words)
images = part("input_image", image_url=st.sampled_from([PNG, "https://a.b/c.png"]), detail=details)
audio = part("input_audio", input_audio=st.just({"data": "AAAA", "format": "wav"}))
files = part("input_file", file_data=st.just(PDF), filename=st.just("a.pdf"))
stored_files = part("input_file", file_id=st.just("file-1"))
links = part("input_file", file_url=st.just("https://a.b/c.pdf"))
stored_images = part("input_image", file_id=st.just("file-2"), detail=details)

user_parts = st.lists(
    st.one_of(texts, images, audio, files, stored_files, links, stored_images),
    min_size=1,
    max_size=3,
)
users = st.builds(
    lambda content: {"role": "user", "content": content}, st.one_of(words, user_parts)
)
systems = st.builds(
    lambda role, text: {"role": role, "content": text},
    st.sampled_from(["system", "developer"]),
    words,
)

said_parts = st.one_of(
    part("output_text", text=words, annotations=st.just([])),
    part("refusal", refusal=words),
)
assistants = st.builds(
    lambda content: {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": content,
    },
    st.lists(said_parts, min_size=1, max_size=2),
)
thoughts = st.builds(
    lambda sealed: {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": sealed},
    st.sampled_from(["one", "two"]),
)
hosted: st.SearchStrategy[Item] = st.sampled_from([
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"},
    {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": []},
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"},
    {"type": "item_reference", "id": "msg_1"},
])  # fmt: skip
tool_outputs = st.one_of(
    words, st.lists(st.one_of(texts, images, files, links), min_size=1, max_size=3)
)


@st.composite
def calls(draw: st.DrawFn, start: int) -> list[Item]:
    """Calls that are made at the same time, and their outputs in any order."""
    made, outputs = [], []
    for number in range(start, start + draw(st.integers(1, 3))):
        call_id = draw(st.sampled_from([f"call_{number}", f"call {number}!", f"{number:099}"]))
        custom = draw(st.booleans())
        kind = "custom_tool_call" if custom else "function_call"
        given = {"input": draw(words)} if custom else {"arguments": '{"q":"x"}'}
        made.append({"type": kind, "call_id": call_id, "name": draw(names), **given})
        output = draw(tool_outputs)
        outputs.append({"type": f"{kind}_output", "call_id": call_id, "output": output})
    return [*made, *draw(st.permutations(outputs))]


@st.composite
def histories(draw: st.DrawFn) -> list[Item]:
    """Turns with every kind of item, in an order that is possible."""
    items: list[Item] = draw(st.lists(systems, max_size=1))
    for _ in range(draw(st.integers(1, 3))):
        items.append(draw(users))
        for _ in range(draw(st.integers(0, 4))):
            match draw(st.sampled_from(["say", "call", "hosted"])):
                case "say":
                    items += [*draw(st.lists(thoughts, max_size=1)), draw(assistants)]
                case "call":
                    thought = draw(st.lists(thoughts, max_size=1))
                    items += [*thought, *draw(calls(len(items)))]
                case _:
                    items.append(draw(hosted))
    return items


# Those for which chat has a form that says all of it, written as we would write it.
plain_users = st.builds(
    lambda content: {"role": "user", "content": content},
    st.one_of(words, st.lists(st.one_of(texts, images, audio, files), min_size=1, max_size=3)),
)


@st.composite
def plain_histories(draw: st.DrawFn) -> list[Item]:
    items: list[Item] = []
    for turn in range(draw(st.integers(1, 3))):
        items.append(draw(plain_users))
        if draw(st.booleans()):
            items += _plain_calls(draw, turn)
        elif draw(st.booleans()):
            items.append(_answer(draw(words)))
    return items


def _plain_calls(draw: st.DrawFn, turn: int) -> list[Item]:
    ids = [f"call_{turn}_{n}" for n in range(draw(st.integers(1, 3)))]
    made = [
        {
            "type": "function_call",
            "call_id": call_id,
            "name": draw(names),
            "arguments": '{"q":"x"}',
            "status": "completed",
        }
        for call_id in ids
    ]
    outputs = [
        {"type": "function_call_output", "call_id": call_id, "output": draw(words)}
        for call_id in ids
    ]
    first = [_answer(draw(words))] if draw(st.booleans()) else []
    return [*first, *made, *outputs]


def _answer(text: str) -> Item:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "status": "completed", "content": content}


chat_parts = st.one_of(
    part("text", text=words),
    part("image_url", image_url=st.fixed_dictionaries({"url": st.just(PNG)})),
    part("image_url", image_url=st.just({"url": "https://a.b/c.png", "detail": "low"})),
    part("file", file=st.just({"file_data": PDF, "filename": "a.pdf"})),
    part("input_audio", input_audio=st.just({"data": "AAAA", "format": "mp3"})),
)


@st.composite
def plain_messages(draw: st.DrawFn) -> list[Item]:
    messages: list[Item] = draw(st.sampled_from([[], [{"role": "system", "content": "Be brief."}]]))
    messages = list(messages)
    for turn in range(draw(st.integers(1, 3))):
        content = draw(st.one_of(words, st.lists(chat_parts, min_size=1, max_size=3)))
        messages.append({"role": "user", "content": content})
        match draw(st.sampled_from(["say", "refuse", "call"])):
            case "say":
                messages.append({"role": "assistant", "content": draw(words)})
            case "refuse":
                refusal = {"content": None, "refusal": draw(words)}
                messages.append({"role": "assistant", **refusal})
            case _:
                messages += _plain_chat_calls(draw, turn)
    return messages


def _plain_chat_calls(draw: st.DrawFn, turn: int) -> list[Item]:
    ids = [f"call_{turn}_{n}" for n in range(draw(st.integers(1, 3)))]
    function = {"name": draw(names), "arguments": "{}"}
    made = [
        {"id": call_id, "type": "custom", "custom": {"name": "shell", "input": draw(words)}}
        if draw(st.booleans())
        else {"id": call_id, "type": "function", "function": function}
        for call_id in ids
    ]
    content = draw(st.one_of(st.none(), words))
    said = {"role": "assistant", "content": content, "tool_calls": made}
    outputs = [{"role": "tool", "tool_call_id": call_id, "content": draw(words)} for call_id in ids]
    return [said, *outputs]


# What nobody should have stored, and somebody did.
_scraps = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 3), words, st.sampled_from(["input_text"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "text", "image_url", "file_data", "url", "detail", "refusal"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
_kinds = st.sampled_from([
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "compaction",
])  # fmt: skip
broken_items = st.fixed_dictionaries(
    {},
    optional={
        "type": st.one_of(_kinds, _scraps),
        "role": st.one_of(st.sampled_from(["user", "assistant", "system"]), _scraps),
        "id": _scraps,
        "call_id": _scraps,
        "name": _scraps,
        "arguments": _scraps,
        "input": _scraps,
        "output": _scraps,
        "content": _scraps,
        "summary": _scraps,
        "encrypted_content": _scraps,
        "provider_data": st.one_of(
            _scraps,
            st.fixed_dictionaries(
                {"model": st.just("gemini")},
                optional={
                    "thinking_blocks": _scraps,
                    "reasoning_field": _scraps,
                    "thought_signature": _scraps,
                },
            ),
        ),
    },
)
