"""A context and calls of tools."""

import json
from typing import Any

from turnlog.agents.context import RunContextWrapper
from turnlog.agents.tools.tool import FunctionTool

__all__ = ["CONTEXT", "called"]

CONTEXT = RunContextWrapper("the context")


async def called(tool: FunctionTool, **arguments: object) -> Any:
    return await tool.invoke(CONTEXT, json.dumps(arguments))
