"""A program that adds items to a conversation at OpenAI and pops some, beside others of its kind.

    python -m tests.programs.use_conversation API CONVERSATION NAME ADDS POPS

It adds ADDS batches of 1 to 25 items, and pops POPS times in between. For each pop a line has the
text of the item, or "uncertain".
"""

import asyncio
import random
import sys

from turnlog import AsyncOpenAI, OpenAIConversationsSession, PopUncertain


async def use(session: OpenAIConversationsSession, name: str, adds: int, pops: int) -> None:
    drawn = random.Random(name)
    acts = ["add"] * adds + ["pop"] * pops
    drawn.shuffle(acts)
    count = 0
    for act in acts:
        if act == "add":
            size = drawn.randint(1, 25)
            texts = [f"{name}-{number}" for number in range(count, count + size)]
            await session.add_items([{"role": "user", "content": text} for text in texts])
            count += size
        else:
            sys.stdout.write(f"{await popped(session)}\n")
    sys.stdout.write(f"added {count}\n")


async def popped(session: OpenAIConversationsSession) -> str:
    try:
        item = await session.pop_item()
    except PopUncertain as error:
        return f"uncertain {error.item['content'][0]['text']}"
    return item["content"][0]["text"] if item else "nothing"


async def main(api: str, conversation: str, name: str, adds: str, pops: str) -> None:
    async with AsyncOpenAI(api_key="k", base_url=api) as client:
        session = OpenAIConversationsSession(conversation, client)
        await use(session, name, int(adds), int(pops))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
