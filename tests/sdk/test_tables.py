"""Table names and rows that we share with the OpenAI Agents SDK."""

import pytest

pytestmark = pytest.mark.anyio
