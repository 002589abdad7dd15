"""The stand-in for a Dapr sidecar; failed assertions of the walk show their values."""

import pytest

from tests.servers.dapr_fixtures import *  # noqa: F403 - fixtures, and __all__ lists them

pytest.register_assert_rewrite("tests.conversation.model.walk")
