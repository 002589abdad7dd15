"""Processes that are killed at a chosen moment, and what they said until then."""

import os
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

__all__ = ["rest_of", "said_until_killed"]


def said_until_killed(process: BaseProcess, told: Connection, delay: float) -> bytes:
    """Kill `process` so many seconds after it said something; returns all that it said."""
    try:
        text = os.read(told.fileno(), 65_536)
        assert text, "the process ended before it said anything"
        time.sleep(delay)
    finally:
        process.kill()
        process.join()
    text += rest_of(told)
    process.close()
    return text


def rest_of(told: Connection) -> bytes:
    """All that is still said through `told`, until its other end is closed."""
    text = b""
    while part := os.read(told.fileno(), 65_536):
        text += part
    told.close()
    return text
