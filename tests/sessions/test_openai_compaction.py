"""`OpenAIResponsesCompactionSession` over sessions of every kind, with a scripted client."""

import asyncio
import copy
import itertools
import random
from typing import Any, cast

import pytest

from tests.sample_items import answer, call, output, user
from tests.strangers import TALK, Stranger, sealed
from turnlog import (
    EncryptedSession,
    EncryptSession,
    Item,
    OpenAIResponsesCompactionSession,
    Store,
    StoredSession,
)
from turnlog.items.digest import digest
from turnlog.items.json import encode_all
from turnlog.sessions.compaction.digests import digest_of
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, MakeSession, SessionTests, first_calls_of

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite", "postgres", "redis")]

SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}
KEY = "six random words or a longer key"
BY_HAND: Any = {"force": True, "compaction_mode": "input"}


class Answer:
    def __init__(self, output: Any) -> None:
        self.output = output
        self.usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


class Client:
    """A client whose `responses.compact` does what the script says: return, raise or be called."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.asked: list[dict[str, Any]] = []
        self.responses = self

    async def compact(self, **request: Any) -> Any:
        self.asked.append(copy.deepcopy(request))
        step = self.script.pop(0)
        if callable(step):
            step = await step()
        if isinstance(step, BaseException):
            raise step
        return Answer(step)


def compacting(inner: Any, client: Client, **options: Any) -> OpenAIResponsesCompactionSession:
    given: dict[str, Any] = {"model": "gpt-5-mini", "client": client, **options}
    return OpenAIResponsesCompactionSession(inner.session_id, inner, **given)


def always(_: dict[str, Any]) -> bool:
    return True


class Run:
    """What a Runner tells of a run in which the model was shown, and answered, `items`."""

    def __init__(self, items: list[Item], policy: str | None = None) -> None:
        digests = tuple(digest for item in items if (digest := digest_of(item)) is not None)
        self._session_compaction_model_exchange = (digests, policy)
        self._session_compaction_is_automatic = True
        self._session_compaction_completed = False


def stranger(items: list[Item]) -> Stranger:
    return Stranger("user", {"user": copy.deepcopy(items)})


@pytest.fixture
async def stored(any_store: Store) -> StoredSession:
    session = StoredSession("user", any_store)
    await session.add_items(TALK)
    return session


# What it takes


@pytest.mark.parametrize(
    "model", ["gpt-4.1", "o3-mini", "ft:gpt-4.1:org:name:id", "openai/gpt-5", " gpt-5 "]
)
def test_models_of_openai(model: str) -> None:
    assert compacting(stranger([]), Client(), model=model).model == model


@pytest.mark.parametrize("model", ["", "claude-opus-4", "ollama", "gpt-5/llama", "ft:llama"])
def test_other_models(model: str) -> None:
    with pytest.raises(ValueError, match="Unsupported model"):
        compacting(stranger([]), Client(), model=model)


async def test_values_of_another_type() -> None:
    with pytest.raises(ValueError, match="Unsupported model"):
        compacting(stranger([]), Client(), model=5)
    session = compacting(stranger([]), Client(), model="gpt-5")
    with pytest.raises(TypeError, match="must be a dict, such as"):
        await session.run_compaction(cast("Any", "now"))


@pytest.mark.parametrize("most", [0, -1])
def test_a_budget_has_to_be_positive(most: int) -> None:
    with pytest.raises(ValueError, match="max_rollback_items must be positive"):
        compacting(stranger([]), Client(), max_rollback_items=most)


def test_a_mode_that_there_is_not() -> None:
    mode: Any = "other"
    with pytest.raises(ValueError, match="compaction_mode"):
        compacting(stranger([]), Client(), compaction_mode=mode)


def test_a_session_whose_items_openai_keeps() -> None:
    class OpenAIConversationsSession(Stranger):
        pass

    with pytest.raises(ValueError, match="cannot wrap"):
        compacting(OpenAIConversationsSession("user", {}), Client())


async def test_the_model_is_required() -> None:
    client = Client([SUMMARY])
    session = compacting(stranger(TALK), client, model=None)
    with pytest.raises(ValueError, match="model="):
        await session.run_compaction(BY_HAND)
    with pytest.raises(ValueError, match="model="):  # where the SDK's Runner begins
        await session._get_items_with_generation(session.get_items)
    assert client.asked == []
    assert await session.get_items() == TALK


async def test_the_chain_needs_an_id() -> None:
    session = compacting(stranger(TALK), Client(), compaction_mode="previous_response_id")
    with pytest.raises(ValueError, match="requires a response_id"):
        await session.run_compaction({"force": True})


async def test_encrypted_items_are_refused() -> None:
    client = Client([SUMMARY])
    inner = stranger([])
    await sealed(inner).add_items(TALK)
    with pytest.raises(ValueError, match="are encrypted"):
        await compacting(inner, client).run_compaction(BY_HAND)
    assert client.asked == []
    assert len(await inner.get_items()) == 4


# When it is time


async def test_the_default_trigger() -> None:
    inner = stranger([user("one"), *[answer(str(n)) for n in range(9)], SUMMARY])
    client = Client([SUMMARY])
    session = compacting(inner, client)
    await session.run_compaction()
    assert client.asked == []
    await session.add_items([answer("9")])
    await session.run_compaction()
    assert len(client.asked) == 1
    assert await session.get_items() == [SUMMARY]


async def test_what_a_trigger_gets() -> None:
    seen: list[dict[str, Any]] = []

    def never(context: dict[str, Any]) -> bool:
        seen.append(context)
        return False

    session = compacting(stranger([*TALK, SUMMARY]), Client(), should_trigger_compaction=never)
    await session.run_compaction({"response_id": "resp_1", "store": True})
    assert seen == [
        {
            "response_id": "resp_1",
            "compaction_mode": "previous_response_id",
            "compaction_candidate_items": [TALK[1], TALK[3]],
            "session_items": [*TALK, SUMMARY],
        }
    ]


@pytest.mark.parametrize(
    ("calls", "modes"),
    [
        ([{}], ["input"]),
        ([{"response_id": "r1"}], ["previous_response_id"]),
        ([{"response_id": "r1", "store": False}, {}], ["input", "input"]),
        (
            [{"response_id": "r1", "store": False}, {"store": True}],
            ["input", "previous_response_id"],
        ),
        ([{"response_id": "r1"}, {"compaction_mode": "input"}], ["previous_response_id", "input"]),
        (
            [{"response_id": "r1", "store": False}, {"response_id": "r2"}],
            ["input", "previous_response_id"],
        ),
        ([{"response_id": "r1"}, "pop", {}], ["previous_response_id", "input"]),
        ([{"response_id": "r1"}, "clear", {}], ["previous_response_id", "input"]),
    ],
)
async def test_modes(calls: list[Any], modes: list[str]) -> None:
    seen: list[str] = []

    def never(context: dict[str, Any]) -> bool:
        seen.append(context["compaction_mode"])
        return False

    session = compacting(stranger(TALK), Client(), should_trigger_compaction=never)
    for each in calls:
        if each == "pop":
            await session.pop_item()
        elif each == "clear":
            await session.clear_session()
        else:
            await session.run_compaction(each)
    assert seen == modes


async def test_deferral() -> None:
    client = Client([SUMMARY])
    session = compacting(
        stranger(TALK),
        client,
        should_trigger_compaction=lambda context: bool(context["session_items"]),
    )
    assert session._get_deferred_compaction_response_id() is None
    await session._defer_compaction("r1", store=False)
    await session._defer_compaction("r2", store=True)
    assert session._get_deferred_compaction_response_id() == "r1"
    await session.run_compaction(BY_HAND)
    assert session._get_deferred_compaction_response_id() is None
    await session._defer_compaction("r3")
    await session.clear_session()
    assert session._get_deferred_compaction_response_id() is None
    await session._defer_compaction("r4")
    assert session._get_deferred_compaction_response_id() is None


# Over our sessions: a summary is appended


async def test_nothing_is_lost_and_it_can_be_undone(stored: StoredSession) -> None:
    client = Client([user("one"), user("two"), SUMMARY])
    session = compacting(stored, client)
    await session.run_compaction(BY_HAND)
    assert client.asked == [{"model": "gpt-5-mini", "input": TALK}]
    compacted = [user("one"), user("two"), SUMMARY]
    assert await session.get_items() == compacted == await stored.get_items()
    await session.add_items([user("three")])
    assert await session.get_items() == [*compacted, user("three")]
    assert await session.get_items(2) == [SUMMARY, user("three")]
    assert await session.get_items(0) == []
    assert await stored.history() == [*TALK, user("three")]
    assert await stored.drop_summary()
    assert await session.get_items() == [*TALK, user("three")]


async def test_by_hand_again(stored: StoredSession) -> None:
    """Also if nothing was added since."""
    client = Client([user("one"), SUMMARY], [SUMMARY], [user("last"), SUMMARY])
    session = compacting(stored, client)
    await session.run_compaction(BY_HAND)
    await session.run_compaction(BY_HAND)
    assert client.asked[1]["input"] == [user("one"), SUMMARY]
    assert await session.get_items() == [SUMMARY]
    await session.add_items([user("three"), answer("3")])
    await session.run_compaction(BY_HAND)
    assert client.asked[2]["input"] == [SUMMARY, user("three"), answer("3")]
    assert await session.get_items() == [user("last"), SUMMARY]
    assert await stored.history() == [*TALK, user("three"), answer("3")]


async def test_a_pop_below_shows_what_was_there(stored: StoredSession) -> None:
    session = compacting(stored, Client([SUMMARY]))
    await session.run_compaction(BY_HAND)
    assert await session.pop_item() == TALK[-1]
    assert await session.get_items() == TALK[:-1]


async def test_branches_are_compacted_by_themselves(stored: StoredSession) -> None:
    fork = await stored.fork("other")
    await compacting(fork, Client([SUMMARY])).run_compaction(BY_HAND)
    assert await fork.get_items() == [SUMMARY]
    assert await stored.get_items() == TALK


async def test_what_others_add_meanwhile_stays(stored: StoredSession) -> None:
    async def meanwhile() -> list[Item]:
        await StoredSession("user", stored.store).add_items([user("theirs")])
        return [SUMMARY]

    session = compacting(stored, Client(meanwhile))
    await session.run_compaction(BY_HAND)
    assert await session.get_items() == [SUMMARY, user("theirs")]


@pytest.mark.parametrize("does", ["pop", "clear", "compact"])
async def test_what_others_remove_meanwhile(
    stored: StoredSession, does: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = StoredSession("user", stored.store)

    async def meanwhile() -> list[Item]:
        if does == "pop":
            await other.pop_item()
        elif does == "clear":
            await other.clear_session()
        else:
            await compacting(other, Client([user("theirs"), SUMMARY])).run_compaction(BY_HAND)
        return [SUMMARY]

    await compacting(stored, Client(meanwhile)).run_compaction(BY_HAND)
    left = {"pop": TALK[:-1], "clear": [], "compact": [user("theirs"), SUMMARY]}
    assert await stored.get_items() == left[does]
    assert "changed during the request" in caplog.text


async def test_a_turn_under_way_is_not_covered(stored: StoredSession) -> None:
    client = Client([SUMMARY])
    async with stored.turn("three") as turn:
        await compacting(StoredSession("user", stored.store), client).run_compaction(BY_HAND)
        await turn.add([answer("3")])
    assert await stored.get_items() == [SUMMARY, user("three"), answer("3")]


async def test_a_turn_under_way_is_not_sent_either(stored: StoredSession) -> None:
    """OpenAI returns the user's messages: a question that was sent would be shown twice."""

    async def as_openai_does() -> list[Item]:
        return [*(item for item in client.asked[-1]["input"] if item["role"] == "user"), SUMMARY]

    client = Client(as_openai_does)
    async with stored.turn("three") as turn:
        await compacting(StoredSession("user", stored.store), client).run_compaction(BY_HAND)
        await turn.add([answer("3")])
    assert client.asked[0]["input"] == TALK
    assert await stored.get_items() == [TALK[0], TALK[2], SUMMARY, user("three"), answer("3")]


class Overtaken(OpenAIResponsesCompactionSession):
    """A session behind whose first read others add to the conversation."""

    meanwhile: Any = None

    async def get_items(self, limit: int | None = None) -> list[Any]:
        items = await super().get_items(limit)
        if self.meanwhile is not None:
            add, self.meanwhile = self.meanwhile, None
            await add()
        return items


@pytest.mark.parametrize("settings", [{}, {"limit": 2}, {"max_turns": 1}, {"limit": 0}], ids=str)
async def test_what_is_added_before_the_request_is_sent_or_stays(
    stored: StoredSession, settings: dict[str, int]
) -> None:
    """All that is covered was sent, as far as the session shows it."""
    theirs = [user("theirs"), answer("too")]
    stored.session_settings = settings
    client = Client([SUMMARY])
    session = Overtaken("user", stored, model="gpt-5-mini", client=cast("Any", client))
    session.meanwhile = lambda: StoredSession("user", stored.store).add_items(theirs)
    await session.run_compaction(BY_HAND)
    whole = StoredSession("user", stored.store)
    sent = client.asked[0]["input"] if client.asked else []
    assert sent == {"{}": [*TALK, *theirs], "{'limit': 0}": []}.get(str(settings), theirs)
    assert await whole.get_items() == ([SUMMARY] if sent else [*TALK, *theirs])


async def test_around_encryption_a_turn_under_way_is_waited_for(
    stored: StoredSession, caplog: pytest.LogCaptureFixture
) -> None:
    """The store can't tell where its turn begins."""
    client = Client([SUMMARY])
    session = EncryptedSession("user", compacting(stored, client), KEY)
    await stored.clear_session()
    await session.add_items(TALK)
    question, reply = session._sealed([user("three"), answer("3")])
    async with StoredSession("user", stored.store).turn([question]) as turn:
        await session.run_compaction(BY_HAND)
        await turn.add([reply])
        await turn.end()
    assert client.asked == []
    assert "a run is under way" in caplog.text
    assert await session.get_items() == [*TALK, user("three"), answer("3")]
    await session.run_compaction(BY_HAND)
    assert await session.get_items() == [SUMMARY]


@pytest.mark.parametrize(
    ("way", "asked"),
    [
        ("nothing", "previous_response_id"),
        ("through it", "input"),
        ("beside it", "input"),
        ("and told", "previous_response_id"),
    ],
)
async def test_the_chain_does_not_stand_for_what_was_added_since(
    stored: StoredSession, way: str, asked: str
) -> None:
    client = Client([SUMMARY])
    session = compacting(stored, client, should_trigger_compaction=lambda _: False)
    await session.run_compaction({"response_id": "r1", "store": True})
    if way != "nothing":
        through: Any = stored if way == "beside it" else session
        await through.add_items([user("a note")])
    args: Any = {"force": True, "response_id": "r2"} if way == "and told" else {"force": True}
    await session.run_compaction(args)
    assert asked in client.asked[0]
    if asked == "input":
        assert client.asked[0]["input"] == [*TALK, user("a note")]


async def test_arguments_that_there_are_not(
    stored: StoredSession, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client([SUMMARY])
    session = compacting(stored, client)
    with pytest.raises(TypeError, match=r"takes response_id, .*force, and not forse, modell"):
        await session.run_compaction(cast("Any", {"forse": True, "modell": "x"}))
    assert client.asked == []
    newer: Any = {"force": True, "compaction_mode": "input", "priority": 1}
    await session.run_compaction(newer, wrapper=Run(TALK))
    assert await session.get_items() == [SUMMARY], "the run of a later SDK goes on"
    assert "and not priority" in caplog.text


async def test_a_run_that_saw_the_newest_only(stored: StoredSession) -> None:
    """What comes before stays in front of the summary, as it is."""
    client = Client([SUMMARY])
    run = Run([user("elsewhere"), *TALK[2:]])
    session = compacting(stored, client, should_trigger_compaction=always)
    await session.run_compaction({"response_id": "r1"}, wrapper=run)
    assert client.asked == [{"model": "gpt-5-mini", "input": TALK[2:]}]
    assert await stored.get_items() == [*TALK[:2], SUMMARY]
    assert run._session_compaction_completed


async def test_only_so_much_is_kept_in_a_summary(
    any_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    stored = StoredSession("user", any_store)
    await stored.add_items([user(str(number)) for number in range(1_010)])
    await stored.add_items(TALK)
    client = Client()
    session = compacting(stored, client, should_trigger_compaction=always)
    await session.run_compaction(wrapper=Run(TALK))
    assert client.asked == []
    assert "1000 items before it would have to be kept" in caplog.text
    assert len(await stored.get_items()) == 1_014


async def test_encrypt_session_is_one_of_ours(any_store: Store) -> None:
    session: Any = EncryptSession(
        StoredSession("user", any_store), "six random words or a longer key"
    )
    await session.add_items(TALK)
    client = Client([SUMMARY])
    await compacting(session, client).run_compaction(BY_HAND)
    assert client.asked[0]["input"] == TALK
    assert await session.get_items() == [SUMMARY]
    assert await session.history() == TALK


async def test_inside_of_encryption_only_envelopes_are_stored(stored: StoredSession) -> None:
    await stored.clear_session()
    client = Client([user("one"), SUMMARY], [SUMMARY])
    session: Any = sealed(compacting(stored, client))
    await session.add_items(TALK)
    await session.run_compaction(BY_HAND)
    assert client.asked[0]["input"] == TALK
    assert await session.get_items() == [user("one"), SUMMARY]
    assert all("__enc__" in item for item in await stored.get_items())
    assert len(await stored.history()) == 4, "nothing is lost"
    more = [user("two"), answer("2")]
    await session.add_items(more)
    run = Run([user("one"), SUMMARY, *more])
    await session.run_compaction({"force": True}, wrapper=run)
    assert await session.get_items() == [SUMMARY]
    await stored.drop_summary()
    assert await session.get_items() == [user("one"), SUMMARY, *more]


@pytest.mark.stores("memory")
@pytest.mark.parametrize("happened", [False, True])
async def test_the_commit_fails(any_store: MemoryStore, happened: bool) -> None:
    failing = Failing(any_store)
    stored = StoredSession("user", failing)
    await stored.add_items(TALK)
    session = compacting(stored, Client([SUMMARY], [SUMMARY]))
    lost = Failure(ConnectionError("lost"), happened=happened)
    failing.plan = first_calls_of("commit", lost, lost)  # it is tried once more
    with pytest.raises(ConnectionError):
        await session.run_compaction(BY_HAND)
    assert await session.get_items() == ([SUMMARY] if happened else TALK)
    await session.run_compaction(BY_HAND)
    assert await session.get_items() == [SUMMARY]
    assert await stored.history() == TALK


# Over any session


@pytest.mark.parametrize(
    "wrong",
    [
        ConnectionError("lost"),
        asyncio.CancelledError(),
        [],
        None,
        "text",
        [7],
        [{"type": "message", "role": "user", "content": [{"type": "input_image"}]}],
        [{"type": "message", "role": "user", "content": [{"type": "input_file", "file_id": None}]}],
    ],
    ids=str,
)
@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_request_that_fails_changes_nothing(
    stored: StoredSession, wrong: Any, is_ours: bool
) -> None:
    session = compacting(stored if is_ours else stranger(TALK), Client(wrong, [SUMMARY]))
    with pytest.raises((ValueError, ConnectionError, asyncio.CancelledError)):
        await session.run_compaction(BY_HAND)
    assert await session.get_items() == TALK
    await session.run_compaction(BY_HAND)
    assert await session.get_items() == [SUMMARY]


class Shaky(Stranger):
    """Fails where `fails` says so: before or behind the work of a method, or in the middle."""

    def __init__(self, items: list[Item], *fails: str, error: Any = None) -> None:
        super().__init__("user", {"user": copy.deepcopy(items)})
        self.fails = [*fails]
        self.error = error or ConnectionError("lost")
        self.limits: list[int | None] = []

    async def get_items(self, limit: int | None = None) -> list[Item]:
        self.limits.append(limit)
        return await super().get_items(3 if limit is None else limit)

    async def add_items(self, items: list[Item]) -> None:
        await self._failing("add", super().add_items(items), super().add_items(items[:1]))

    async def clear_session(self) -> None:
        await self._failing("clear", super().clear_session(), super().pop_item())

    async def _failing(self, name: str, work: Any, half: Any) -> None:
        moment = next((each for each in self.fails if each.startswith(name)), "")
        if moment:
            self.fails.remove(moment)
        coroutines = {"": work, f"{name} after": work, f"{name} half": half}
        chosen = coroutines.get(moment)
        for each in (work, half):
            if each is not chosen:
                each.close()
        if chosen is not None:
            await chosen
        if moment:
            raise self.error


MOMENTS = [f"{name} {when}" for name in ("add", "clear") for when in ("before", "half", "after")]


@pytest.mark.stores("memory")
@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("again", ["", *MOMENTS])
async def test_everything_is_put_back(moment: str, again: str, cancelled: bool) -> None:
    """Also under a retrieval limit, and if putting back fails once as well."""
    error = asyncio.CancelledError() if cancelled else ConnectionError("lost")
    inner = Shaky(TALK, moment, error=error)
    session = compacting(inner, Client([user("one"), SUMMARY]))
    if again:
        inner.fails.append(again)
        inner.error = ConnectionError("lost")
    with pytest.raises((ConnectionError, asyncio.CancelledError)):
        await session.run_compaction(BY_HAND)
    assert await inner.get_items(100) == TALK


@pytest.mark.stores("memory")
async def test_a_history_that_cannot_be_put_back() -> None:
    inner = Shaky(TALK, *["add before"] * 4)
    with pytest.raises(ConnectionError) as caught:
        await compacting(inner, Client([SUMMARY])).run_compaction(BY_HAND)
    assert "4 items that were there could not be put back" in caught.value.__notes__[0]


@pytest.mark.stores("memory")
async def test_a_cancellation_while_it_is_filled_again() -> None:
    """However often: what was there is put back first."""

    class Slow(Stranger):
        adding = asyncio.Event()
        slow = True

        async def add_items(self, items: list[Item]) -> None:
            self.adding.set()
            if self.slow:
                self.slow = False
                await asyncio.Event().wait()
            await asyncio.sleep(0.01)
            await super().add_items(items)

    inner = Slow("user", {"user": copy.deepcopy(TALK)})
    task = asyncio.ensure_future(compacting(inner, Client([SUMMARY])).run_compaction(BY_HAND))
    await inner.adding.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await inner.get_items() == TALK


@pytest.mark.stores("memory")
async def test_a_budget_is_checked_before_the_request() -> None:
    inner, client = Shaky(TALK), Client([SUMMARY])
    session = compacting(inner, client, max_rollback_items=3)
    with pytest.raises(ValueError, match="exceeds max_rollback_items"):
        await session.run_compaction(BY_HAND)
    assert (inner.limits, client.asked) == ([4], [])
    session.max_rollback_items = 4
    await session.run_compaction(BY_HAND)
    assert await inner.get_items(100) == [SUMMARY]


async def test_a_budget_over_our_session(stored: StoredSession) -> None:
    with pytest.raises(ValueError, match="exceeds max_rollback_items"):
        await compacting(stored, Client(), max_rollback_items=3).run_compaction(BY_HAND)


@pytest.mark.stores("memory")
async def test_what_others_add_to_a_foreign_session_is_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inner = stranger(TALK)

    async def meanwhile() -> list[Item]:
        await inner.add_items([user("theirs")])
        return [SUMMARY]

    await compacting(inner, Client(meanwhile)).run_compaction(BY_HAND)
    assert await inner.get_items() == [*TALK, user("theirs")]
    assert "changed during the request" in caplog.text


@pytest.mark.parametrize("is_ours", [True, False])
async def test_adds_and_clears_wait(stored: StoredSession, is_ours: bool) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow() -> list[Item]:
        asked.set()
        await go.wait()
        return [SUMMARY]

    session = compacting(stored if is_ours else stranger(TALK), Client(slow))
    running = asyncio.ensure_future(session.run_compaction(BY_HAND))
    await asked.wait()
    adding = asyncio.ensure_future(session.add_items([user("three")]))
    done, _ = await asyncio.wait([adding], timeout=0.05)
    assert not done
    assert await session.get_items() == TALK
    go.set()
    await asyncio.gather(running, adding)
    assert await session.get_items() == [SUMMARY, user("three")]
    await session.clear_session()
    assert await session.get_items() == []


# What a run has seen


async def test_a_run_whose_history_was_changed_since() -> None:
    client = Client()
    session = compacting(stranger(TALK), client)
    run: Any = Run(TALK)
    _, run._session_compaction_generation = await session._get_items_with_generation(
        session.get_items
    )

    async def write() -> None:
        await session.add_items([user("three")])

    known = run._session_compaction_generation
    run._session_compaction_generation = await session._add_items_with_generation(
        write, expected_generation=known
    )
    assert run._session_compaction_generation == known + 1
    await session.add_items([user("theirs")])
    assert await session._add_items_with_generation(write, expected_generation=known + 1) is None
    await session.run_compaction({"force": True}, wrapper=run)
    assert client.asked == []


async def test_a_run_whose_history_is_the_same_but_was_changed_since() -> None:
    client = Client([SUMMARY])
    session = compacting(stranger(TALK), client)
    run: Any = Run(TALK)
    _, run._session_compaction_generation = await session._get_items_with_generation(
        session.get_items
    )
    assert await session.pop_item() == TALK[-1]
    await session.add_items(TALK[-1:])
    await session.run_compaction({"force": True}, wrapper=run)
    assert client.asked == []
    run._session_compaction_generation += 2
    await session.run_compaction({"force": True}, wrapper=run)
    assert len(client.asked) == 1


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize(
    ("items", "seen"),
    [
        (TALK, TALK[:2]),
        (TALK, []),
        (TALK, [*TALK[:3], answer("other")]),
        ([*TALK, user("three"), call()], [*TALK, user("three"), call()]),
        ([*TALK, output()], [*TALK, output()]),
    ],
    ids=["not the newest", "nothing", "another answer", "an open call", "an output alone"],
)
async def test_what_is_never_compacted_by_itself(
    any_store: Store, is_ours: bool, items: list[Item], seen: list[Item]
) -> None:
    inner: Any = StoredSession("user", any_store) if is_ours else stranger([])
    await inner.add_items(copy.deepcopy(items))
    client = Client()
    await compacting(inner, client).run_compaction({"force": True}, wrapper=Run(seen))
    assert client.asked == []
    assert await inner.get_items() == items


async def test_a_foreign_session_is_replaced_as_a_whole_only() -> None:
    client = Client([SUMMARY])
    session = compacting(stranger(TALK), client)
    await session.run_compaction({"force": True}, wrapper=Run(TALK[2:]))
    assert client.asked == []
    await session.run_compaction({"force": True}, wrapper=Run([user("more"), *TALK]))
    assert await session.get_items() == [SUMMARY]


async def test_the_trigger_is_asked_again_about_what_is_replaced(stored: StoredSession) -> None:
    seen: list[int] = []

    def is_time(context: dict[str, Any]) -> bool:
        seen.append(len(context["session_items"]))
        return len(seen) == 1

    client = Client()
    session = compacting(stored, client, should_trigger_compaction=is_time)
    await session.run_compaction({"response_id": "r1"}, wrapper=Run(TALK[2:]))
    assert (seen, client.asked) == ([4, 2], [])


async def test_usage_is_kept_with_the_summary(stored: StoredSession) -> None:
    await compacting(stored, Client([SUMMARY])).run_compaction(BY_HAND)
    log = stored._log().beside("summaries")
    (record,) = await stored.store.read(log)
    assert b'"usage":{"input_tokens":7' in record.payload


# Many at once


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_is_lost_among_many(any_store: Store, seed: int) -> None:
    """Compactions, appends and pops in random order, from three session objects."""
    draw = random.Random(seed)
    numbers = itertools.count()
    popped: list[Item] = []
    added: list[Item] = []

    async def made() -> list[Item]:
        await asyncio.sleep(draw.random() / 500)
        return [{**SUMMARY, "id": f"cmp_{next(numbers)}"}]

    async def work(session: OpenAIResponsesCompactionSession) -> None:
        for _ in range(12):
            match draw.choice(["add", "add", "pop", "compact"]):
                case "add":
                    item = user(f"q{next(numbers)}")
                    await session.add_items([item])
                    added.append(item)
                case "pop":
                    item_or_none = await session.pop_item()
                    popped.extend([item_or_none] if item_or_none else [])
                case "compact":
                    await session.run_compaction(BY_HAND)

    sessions = [
        compacting(StoredSession("user", any_store), Client(*[made] * 50)) for _ in range(3)
    ]
    await asyncio.gather(*map(work, sessions))
    stored = StoredSession("user", any_store)
    left = await stored.history()
    assert sorted(digest(encode_all([item])) for item in [*left, *popped]) == sorted(
        digest(encode_all([item])) for item in added
    )
    shown = await stored.get_items()
    rest = [item for item in shown if item.get("type") != "compaction"]
    assert rest == left[len(left) - len(rest) :]
    assert sum(item.get("type") == "compaction" for item in shown) <= 1
    while await stored.drop_summary():
        pass
    assert await stored.get_items() == left


class TestPromisesOfSessions(SessionTests):
    """What every session promises."""

    @pytest.fixture(params=["ours", "theirs"])
    def make_session(self, request: pytest.FixtureRequest) -> MakeSession:
        store, shelf = MemoryStore(), dict[str, list[Item]]()

        def make(session_id: str) -> OpenAIResponsesCompactionSession:
            if request.param == "ours":
                return compacting(StoredSession(session_id, store), Client())
            return compacting(Stranger(session_id, shelf), Client())

        return make
