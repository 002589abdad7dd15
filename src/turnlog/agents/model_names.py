"""Model names: from a name to the model that it stands for."""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from urllib.parse import urlsplit

from turnlog.agents.checking import check_model
from turnlog.agents.models.environment import address, default_name, is_openai
from turnlog.agents.models.model import Model
from turnlog.agents.offline.model import OfflineModel

__all__ = ["name_of", "resolve_model"]

_logger = logging.getLogger(__name__)

_EXTRA = "pip install 'turnlog[openai]'"


def resolve_model(model: Model | str | None) -> Model:
    """The model for a name; a model is returned as it is.

    A name needs `pip install 'turnlog[openai]'`, and OPENAI_API_KEY when the model is asked.
    OpenAI is asked through its Responses API, any other OPENAI_BASE_URL through Chat
    Completions, which all providers have. For OpenAI, a name may be written "openai/…" as in
    the SDK; other providers get names unchanged.

    Raises `TypeError` for what is no model: it has no method `respond`.

    None means the model of the environment: with OPENAI_API_KEY, the one that TURNLOG_MODEL or
    else OPENAI_DEFAULT_MODEL names, or else a small one of OpenAI's; without a key, the
    offline model.
    """
    if isinstance(model, str):
        return _named(model)
    check_model(model)
    return _default() if model is None else model


def name_of(model: Model) -> str:
    """The name of `model`: its attribute `model`, or else that of its class."""
    name = getattr(model, "model", None)
    return name if isinstance(name, str) and name else type(model).__name__


def _default() -> Model:
    name = default_name()
    if name is None:
        return _offline()
    try:
        return _named(name)
    except ImportError as error:
        raise ImportError(
            f"OPENAI_API_KEY is set, so an agent without a model uses {name}, which needs the "
            f"openai package. Give the agent a model, such as OfflineModel(), or {_EXTRA}",
            name=error.name,
        ) from error


@cache
def _offline() -> Model:
    _logger.warning(
        "no model was given and OPENAI_API_KEY is not set: the offline model answers, which is not "
        "an LLM but a few text patterns for first tries"
    )
    return OfflineModel()


def _named(name: str) -> Model:
    if is_openai(urlsplit(address()).hostname):
        return _responses(_name_at_openai(name))
    return _chat(name)


@lru_cache(maxsize=128)  # kept, because a model remembers what its API refuses
def _responses(name: str) -> Model:
    from turnlog.agents.models.openai.responses import OpenAIResponsesModel  # noqa: PLC0415 - an extra

    return OpenAIResponsesModel(name)


@lru_cache(maxsize=128)
def _chat(name: str) -> Model:
    from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel  # noqa: PLC0415 - an extra

    return OpenAIChatCompletionsModel(name)


def _name_at_openai(name: str) -> str:
    """The name without the provider, which users of the SDK may write in front of it."""
    provider, slash, rest = name.partition("/")
    if not slash:
        return name
    if provider == "openai":
        return rest
    raise ValueError(
        f"the model {name!r} is not one of OpenAI's: set OPENAI_BASE_URL to the address of its "
        f"provider, or give OpenAIChatCompletionsModel a client with that base_url"
    )
