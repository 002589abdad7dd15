"""Corrupt rows in a file of the OpenAI Agents SDK."""

import pytest

pytestmark = pytest.mark.anyio
