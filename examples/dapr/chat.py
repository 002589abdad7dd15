"""A conversation behind a Dapr sidecar, that goes on each time this is run.

    pip install 'turnlog[dapr]'
    dapr run --app-id chat --resources-path examples/dapr/components \
        --dapr-grpc-port 50001 --dapr-http-port 3500 -- python examples/dapr/chat.py "I am Alice."

`dapr init` installs Dapr and starts the Redis that the component names. For another port,
set DAPR_GRPC_PORT; `dapr run` does so.
"""

import asyncio
import os
import sys

from turnlog import Agent, Runner
from turnlog.sessions.dapr import DaprSession

ADDRESS = f"localhost:{os.environ.get('DAPR_GRPC_PORT', '50001')}"


async def main(text: str) -> None:
    """Run one turn, and show what is remembered."""
    session = DaprSession.from_address(
        "user_123",
        state_store_name=os.environ.get("DAPR_STORE", "statestore"),
        dapr_address=ADDRESS,
        ttl=30 * 86400,
    )
    async with session:
        result = await Runner.run(Agent("Assistant"), text, session=session)
        print(f"Assistant: {result.final_output}")
        print(f"{len(await session.get_items())} items are remembered.")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "My name is Alice."))
