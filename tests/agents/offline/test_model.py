"""The offline model: it answers from what it is shown, and from nothing else."""

import pytest

from tests.sample_items import user
from turnlog import Agent, ModelRequest, OfflineModel, Runner, SQLiteSession
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio

NOT_SAID = "I can't tell {}: you haven't said it here."


@pytest.mark.parametrize(
    ("told", "asked", "answer"),
    [
        ("My name is Alice and I love Python", "What's my name?", "Your name is Alice."),
        ("My name is Alice and I love Python", "what do I love?", "You love Python."),
        ("my name is Bob. Sorry, my name is Rob!", "Who am I?", "Your name is Rob."),
        ("I live in Oslo, but I work at a bank", "Where do I live?", "You live in Oslo."),
        ("I live in Oslo, but I work at a bank", "Where do I work", "You work at a bank."),
        (
            "My favourite colour is blue.",
            "What is my favourite colour?",
            "Your favourite colour is blue.",
        ),
        ("My name is Alice", "What do you know about me?", "Your name is Alice."),
        (
            "I'm from Peru. It is warm there",
            "What did I say first?",
            "You said: I'm from Peru. It is warm there",
        ),
        ("I am a nurse", "What am I?", "You are a nurse."),
        ("My name\u2019s Zoë", "What\u2019s my name?", "Your name is Zoë."),
        ("I use Python 3.12 at work.", "Which language do I use?", "You use Python 3.12 at work."),
        ("I work as a nurse", "What is my job?", "You work as a nurse."),
        ("I love tea", "What do I like?", "You love tea."),
        ("I'm from Oslo", "Where am I from?", "You are from Oslo."),
        ("How are you?\nMy name is Al", "Do you remember my name?", "Your name is Al."),
        ("My name is Al", "What is my dog's name?", NOT_SAID.format("your dog's name")),
        ("Nice weather", "Where do I live?", NOT_SAID.format("that")),
        ("Nice weather", "What's my name?", NOT_SAID.format("your name")),
        (
            "Is my name Alice?",
            "What's my name?",
            NOT_SAID.format("your name"),
        ),
    ],
)
async def test_it_answers_from_what_it_is_shown(told: str, asked: str, answer: str) -> None:
    session, agent = SQLiteSession("user"), Agent("A", model=OfflineModel())
    await Runner.run(agent, told, session=session)
    assert (await Runner.run(agent, asked, session=session)).final_output == answer
    forgetful = await Runner.run(agent, asked)
    assert forgetful.final_output != answer or answer.startswith("I can't tell")


async def test_it_is_deterministic_and_reads_content_parts() -> None:
    parts = [{"role": "user", "content": [{"type": "input_text", "text": "Call me Ishmael."}]}]
    runs = [await Runner.run(Agent("A"), [*parts, user("Who am I?")]) for _ in range(2)]
    assert runs[0].to_input_list() == runs[1].to_input_list()
    assert runs[0].final_output == "Your name is Ishmael."
    assert (await OfflineModel().respond(ModelRequest([]))).output[0]["role"] == "assistant"


async def test_what_was_said_is_quoted() -> None:
    said: list[Item] = [user("I moved\n to Oslo"), user("It rains")]
    for question, quoted in (
        ("What did I say first?", "You said: I moved to Oslo"),
        ("What was the last thing I said?", "You said: It rains"),
    ):
        result = await Runner.run(Agent("A"), [*said, user(question)])
        assert result.final_output == quoted
    result = await Runner.run(Agent("A"), "What did I say?")
    assert result.final_output == "I can't tell: this is the first that I hear of you."


async def test_later_words_win_wherever_they_stand() -> None:
    told = "Call me Al, my name is Bob, I'm called Cy"
    result = await Runner.run(Agent("A"), [user(told), user("Who am I?")])
    assert result.final_output == "Your name is Cy."


async def test_what_is_not_about_the_user_gets_no_made_up_answer() -> None:
    said = [user("My name is Alice"), user("What city is the Golden Gate Bridge in?")]
    result = await Runner.run(Agent("A"), said)
    assert "no LLM" in result.final_output
    assert "Alice" not in result.final_output


async def test_its_messages_have_the_shape_of_the_responses_api() -> None:
    [message] = (await OfflineModel().respond(ModelRequest([user("hello")]))).output
    assert list(message) == ["id", "type", "role", "status", "content"]
    assert (message["type"], message["status"]) == ("message", "completed")
    [part] = message["content"]
    assert (part["type"], part["annotations"]) == ("output_text", [])


async def test_no_text_makes_a_pattern_run_away() -> None:
    """Patterns that try every way to share out the spaces would not end within an hour."""
    result = await Runner.run(Agent("A"), "my" + " " * 100_000 + "x")
    assert result.final_output == "I'll remember that you said so."
