"""Signatures: the JSON Schema of a function's arguments, from its hints and docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, get_origin, get_type_hints

from turnlog.agents.context import RunContextWrapper
from turnlog.agents.models.model import JSONSchema
from turnlog.agents.tools import pydantic
from turnlog.agents.tools.docstrings import documented
from turnlog.agents.tools.strict import strict_schema

__all__ = ["Signature", "name_of"]

_CONTEXTS = {"ctx", "context", "wrapper"}


@dataclass(frozen=True)
class Signature:
    """The parameters of a function that a model may call.

    takes_context: its first parameter is the context of the run, which no model sees.
    arguments: the pydantic model that checks a model's arguments.
    """

    description: str
    takes_context: bool
    arguments: type[pydantic.BaseModel]
    parameters: dict[str, inspect.Parameter]

    @classmethod
    def of(cls, function: Callable[..., object], *, use_docstring: bool) -> Signature:
        """The signature of `function`. Raises `TypeError` if a type hint can't be resolved."""
        text, said = documented(_unbound(function).__doc__ if use_docstring else None)
        hints = _hints(function)
        parameters = dict(inspect.signature(function).parameters)
        for name in getattr(function, "keywords", ()):
            del parameters[name]  # given by functools.partial
        takes_context = _takes_context(parameters, hints)
        if takes_context:
            del parameters[next(iter(parameters))]
        for name in parameters:
            if _is_context(hints.get(name)):
                raise TypeError(f"{name_of(function)}: the context must be the first parameter")
        fields = {
            f"arg_{name}": _field(parameter, hints.get(name, Any), said.get(name))
            for name, parameter in parameters.items()
        }
        return cls(text, takes_context, _model(function, fields), parameters)

    def schema(self, *, strict: bool) -> JSONSchema:
        """The JSON Schema of the arguments, made strict if `strict`."""
        schema = self.arguments.model_json_schema(by_alias=True)
        schema.pop("description", None)
        return strict_schema(schema) if strict else schema

    def bind(self, arguments: str) -> inspect.BoundArguments:
        """The JSON `arguments` as arguments of the function.

        Raises pydantic's `ValidationError` if they don't fit.
        """
        checked = self.arguments.model_validate_json(arguments or "{}")
        bound = inspect.Signature(list(self.parameters.values())).bind_partial()
        for name in self.parameters:
            bound.arguments[name] = getattr(checked, f"arg_{name}")
        return bound


def name_of(function: Callable[..., object]) -> str:
    """The name of a function; of any other callable, that of its class."""
    function = _unbound(function)
    return str(getattr(function, "__name__", type(function).__name__))


def _unbound(function: Callable[..., object]) -> Callable[..., object]:
    """The function behind any `functools.partial`."""
    while isinstance(function, partial):
        function = function.func
    return function


def _model(function: Callable[..., object], fields: dict[str, Any]) -> type[pydantic.BaseModel]:
    config = pydantic.ConfigDict(extra="forbid")
    # pydantic's overloads know only fields that are written out as keywords.
    made: type[pydantic.BaseModel] = pydantic.create_model(
        f"{name_of(function)}_args", __config__=config, **fields
    )
    return made


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    function = _unbound(function)
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        return get_type_hints(target, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{name_of(function)}: the type hint {error.name!r} can't be found; import it outside "
            f"of `if TYPE_CHECKING`, and define it at the top of a module, not in a function"
        ) from error


def _takes_context(parameters: dict[str, inspect.Parameter], hints: dict[str, Any]) -> bool:
    if not parameters:
        return False
    name = next(iter(parameters))
    if name not in hints:
        return name in _CONTEXTS
    return _is_context(hints[name])


def _is_context(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, RunContextWrapper)


def _field(parameter: inspect.Parameter, hint: Any, said: str | None) -> tuple[Any, Any]:
    """The type and default of a parameter, for pydantic.

    The name is given as an alias, because some names are those of pydantic's own methods.
    """
    described: dict[str, str] = {"alias": parameter.name}
    if said:
        described["description"] = said
    match parameter.kind:
        case inspect.Parameter.VAR_POSITIONAL:
            return list[hint], pydantic.Field(default_factory=list, **described)  # type: ignore[call-overload] # keywords made here
        case inspect.Parameter.VAR_KEYWORD:
            return dict[str, hint], pydantic.Field(default_factory=dict, **described)  # type: ignore[call-overload] # keywords made here
    default = ... if parameter.default is parameter.empty else parameter.default
    # Annotations in the hint (Annotated) count as well; the docstring's text wins.
    return Annotated[hint, pydantic.Field(**described)], default  # type: ignore[call-overload] # keywords made here
