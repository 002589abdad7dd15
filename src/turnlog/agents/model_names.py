"""From what people write as a model to the model itself."""

from __future__ import annotations

import logging
from functools import cache, lru_cache

from turnlog.agents.model import Model
from turnlog.agents.offline import OfflineModel

__all__ = ["resolve_model"]

_logger = logging.getLogger(__name__)


def resolve_model(model: Model | str | None) -> Model:
    """The model that is meant: itself, OpenAI's by its name, or the offline one.

    A name needs `pip install 'turnlog[openai]'`, and OPENAI_API_KEY once it is asked.
    """
    if model is None:
        return _offline()
    return _named(model) if isinstance(model, str) else model


@cache
def _offline() -> Model:
    _logger.warning("no model was given: the offline one answers, which is for trying out only")
    return OfflineModel()


@lru_cache(maxsize=128)  # a model remembers what its API refuses
def _named(name: str) -> Model:
    from turnlog.agents.openai_responses import OpenAIResponsesModel  # noqa: PLC0415 - an extra

    return OpenAIResponsesModel(name)
