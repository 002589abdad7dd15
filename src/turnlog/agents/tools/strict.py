"""Strict schemas: JSON Schemas that a provider can make a model keep to."""

from __future__ import annotations

from typing import Any

from turnlog.agents.models.model import JSONSchema

__all__ = ["strict_schema"]


def strict_schema(schema: JSONSchema) -> JSONSchema:
    """`schema` made strict: every property required, no others allowed, no defaults.

    Raises `TypeError`, naming the place, for an object whose keys the schema doesn't name.
    """
    return _Strict(schema).made("")


class _Strict:
    def __init__(self, root: JSONSchema) -> None:
        self._root = root

    def made(self, path: str) -> JSONSchema:
        return self._object(self._root, path, ())

    def _object(self, schema: JSONSchema, path: str, inside: tuple[str, ...]) -> JSONSchema:
        if "$ref" in schema:
            return self._reference(schema, path, inside)
        made = {key: self._value(key, schema[key], path, inside) for key in schema}
        made.pop("default", None)
        made.pop("discriminator", None)  # goes with oneOf, which has no strict form
        if "oneOf" in made:
            made["anyOf"] = made.pop("oneOf")
        if made.get("type") == "object":
            self._close(made, path)
        return made

    def _value(self, key: str, value: Any, path: str, inside: tuple[str, ...]) -> Any:
        match key, value:
            case (("properties" | "$defs" | "definitions"), dict()):
                return {n: self._object(v, f"{path}.{n}", inside) for n, v in value.items()}
            case (("items" | "additionalProperties"), dict()):
                return self._object(value, f"{path}[]", inside)
            case (("anyOf" | "oneOf" | "allOf" | "prefixItems"), list()):
                return [self._object(part, path, inside) for part in value]
        return value

    def _reference(self, schema: JSONSchema, path: str, inside: tuple[str, ...]) -> JSONSchema:
        name = schema["$ref"]
        beside = {key: value for key, value in schema.items() if key not in {"$ref", "default"}}
        # Nothing may stand beside a reference, so it is replaced by its meaning; but not
        # within itself, which would never end.
        if not beside or name in inside:
            return {"$ref": name}
        return self._object({**self._meaning(name), **beside}, path, (*inside, name))

    def _meaning(self, reference: str) -> JSONSchema:
        found: JSONSchema = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found

    def _close(self, made: JSONSchema, path: str) -> None:
        if made.get("additionalProperties", False) is not False or "properties" not in made:
            # An object without properties may have any keys, unless the schema forbids them.
            if made.get("additionalProperties") is not False:
                place = path.strip(".") or "the schema"
                raise TypeError(
                    f"{place}: a strict schema must name every key of an object; use a type with "
                    f"named keys (a pydantic model, a TypedDict), or turn strictness off"
                )
            made["properties"] = {}
        made["additionalProperties"] = False
        made["required"] = list(made["properties"])
