"""Rules of OpenAI's APIs for requests, from their documentation and their known error texts.

The fields, and which of them are required, come from `openai_published`.
"""

from collections.abc import Iterator
from typing import Any

from tests.providers.openai_published import (
    CHAT_REQUEST,
    COMPACT_REQUEST,
    ITEMS,
    RESPONSE_REQUEST,
    ROLES,
)
from tests.providers.strict_rules import TooLoose, check_call, check_ids, check_says, check_sendable
from turnlog.items.json import Item

__all__ = ["Refused", "Rules", "check_chat", "check_items", "check_strict"]

_ROLES = {"user", "system", "developer", "assistant"}
_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
_PARTS = {
    "user": {"input_text", "input_image", "input_file", "input_audio"},
    "assistant": {"output_text", "refusal"},
    "system": {"input_text"},
    "developer": {"input_text"},
}
_CHAT_PARTS = {
    "user": {"text", "image_url", "input_audio", "file"},
    "assistant": {"text", "refusal"},
    "system": {"text"},
    "developer": {"text"},
    "tool": {"text"},
}
_CALLS = {"function_call": "function", "custom_tool_call": "custom tool"}


class Refused(Exception):
    """The request is refused, with a body of the published shape."""

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        **headers: str,
    ) -> None:
        super().__init__(message)
        kind = "invalid_request_error" if status < 429 else "server_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        self.status = status
        self.headers = headers


class Rules:
    """The rules, and the items that the provider has stored and encrypted so far.

    encrypts: the models reason and encrypt it; others refuse a request for encrypted reasoning.
    extras: further fields of chat messages and calls that this provider accepts.
    """

    def __init__(self, *, encrypts: bool = True, extras: tuple[str, ...] = ()) -> None:
        self.encrypts = encrypts
        self.extras = set(extras)
        self.stored: set[str] = set()
        self.encrypted: set[str] = set()

    def store(self, output: list[Item], *, stored: bool) -> None:
        """Remember the items of an answer."""
        self.encrypted |= {
            item["encrypted_content"] for item in output if "encrypted_content" in item
        }
        if stored:
            self.stored |= {item["id"] for item in output if "id" in item}

    def check(self, path: str, body: dict[str, Any]) -> None:
        """Raise `Refused` unless the request is one that the API accepts."""
        try:
            self._check(path, body)
        except TooLoose as error:
            raise Refused(str(error), "strict") from error

    def _check(self, path: str, body: dict[str, Any]) -> None:
        check_sendable(body)
        if path.endswith("/responses"):
            self._check_responses(body)
        elif path.endswith("/responses/compact"):
            _only(body, COMPACT_REQUEST, "")
            check_items(body.get("input", []))
        elif path.endswith("/chat/completions"):
            _only(body, CHAT_REQUEST, "")
            _check_tools(body)
            check_chat(body["messages"], self.extras)
        else:
            raise Refused(f"Invalid URL (POST {path})", status=404)

    def _check_responses(self, body: dict[str, Any]) -> None:
        _only(body, RESPONSE_REQUEST, "")
        _check_tools(body)
        if "reasoning.encrypted_content" in body.get("include", ()) and not self.encrypts:
            raise Refused("Encrypted content is not supported with this model.", "include")
        check_items(body["input"])
        for place, item in enumerate(body["input"]):
            self._check_reference(item, f"input[{place}]")

    def _check_reference(self, item: Item, param: str) -> None:
        """An item that is only referred to must be stored; an encrypted one must be our own."""
        if item.get("type") == "item_reference":
            self._find(item)
        if item.get("type") != "reasoning":
            return
        secret = item.get("encrypted_content")
        if secret is None:
            self._find(item)
        elif secret not in self.encrypted:
            message = "The encrypted content could not be verified."
            raise Refused(message, f"{param}.encrypted_content", "invalid_encrypted_content")

    def _find(self, item: Item) -> None:
        if item.get("id") not in self.stored:
            raise Refused(
                f"Item with id '{item.get('id')}' not found. Items are not persisted when "
                f"`store` is set to false.",
                "input",
                status=404,
            )


def check_items(items: list[Item]) -> None:
    """Raise unless `items` are valid input of the Responses API."""
    check_sendable(items)
    check_ids(item.get("call_id") for item in items if item.get("type") in _CALLS)
    for place, item in enumerate(items):
        _check_item(item, f"input[{place}]")
    for place, item in enumerate(items):
        if item.get("type") == "reasoning":
            _check_following(item, items[place + 1 :])
    for kind, name in _CALLS.items():
        _check_pairs(items, kind, name)


def _check_item(item: Item, param: str) -> None:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind not in ITEMS:
        raise Refused(f"Invalid value: '{kind}'.", f"{param}.type", "invalid_value")
    known, required = ITEMS[kind]
    _only(item, known, param)
    # An item's name is what the API may look it up by; the item itself does without.
    free = {"id"} if kind in _PREFIXES else set()
    for name in sorted(required - item.keys() - free):
        message = f"Missing required parameter: '{param}.{name}'."
        raise Refused(message, f"{param}.{name}", "missing_required_parameter")
    prefix = _PREFIXES.get(kind, "")
    if not str(item.get("id") or prefix).startswith(prefix):
        message = (
            f"Invalid '{param}.id': '{item['id']}'. Expected an ID that begins with '{prefix}'."
        )
        raise Refused(message, f"{param}.id", "invalid_value")
    if len(item.get("call_id") or "") > 64:
        message = f"Invalid '{param}.call_id': string too long."
        raise Refused(message, f"{param}.call_id", "string_above_max_length")
    if kind == "message":
        check_says(item["content"], param)
        _check_message(item, param)
    elif kind == "function_call":
        check_call(item["name"], item["arguments"])
    elif kind in {"function_call_output", "custom_tool_call_output"}:
        _check_output(item["output"], param)


def _check_output(output: object, param: str) -> None:
    if isinstance(output, str):
        return
    if not isinstance(output, list):
        raise Refused("Expected a string or an array.", f"{param}.output", "invalid_type")
    _check_parts(output, _PARTS["user"], param)


def _check_message(item: Item, param: str) -> None:
    if item["role"] not in _ROLES:
        raise Refused(f"Invalid value: '{item['role']}'.", f"{param}.role", "invalid_value")
    if item["role"] == "assistant" and "id" not in item and "status" in item:
        # Only the type of stored messages has it, and that one has an id.
        path = f"{param}.status"
        raise Refused(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
    _check_parts(item["content"], _PARTS[item["role"]], param)


def _check_following(reasoning: Item, rest: list[Item]) -> None:
    made = {"reasoning", "message", "mcp_approval_request", *_CALLS}
    following = rest[0] if rest else {"type": "nothing"}
    kind = following.get("type", "message")
    if (kind not in made and not kind.endswith("_call")) or following.get(
        "role", "assistant"
    ) != "assistant":
        raise Refused(
            f"Item '{reasoning.get('id')}' of type 'reasoning' was provided without its "
            f"required following item.",
            "input",
        )


def _check_pairs(items: list[Item], kind: str, name: str) -> None:
    called: list[str] = []
    for item in items:
        if item.get("type") == kind:
            called.append(item["call_id"])
        elif item.get("type") == f"{kind}_output":
            if item["call_id"] not in called:
                message = (
                    f"No tool call found for {name} call output with call_id {item['call_id']}."
                )
                raise Refused(message, "input")
            called.remove(item["call_id"])
    if called:
        raise Refused(f"No tool output found for {name} call {called[0]}.", "input")


def check_chat(messages: list[Item], extras: set[str] | None = None) -> None:
    """Raise unless `messages` are valid input of Chat Completions."""
    check_sendable(messages)
    check_ids(call["id"] for message in messages for call in message.get("tool_calls", ()))
    waiting: list[str] = []
    for place, message in enumerate(messages):
        _check_chat_message(message, f"messages[{place}]", extras or set())
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise Refused(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                    f"messages[{place}].role",
                )
            waiting.remove(message["tool_call_id"])
        else:
            _check_answered(waiting)
            waiting = [call["id"] for call in message.get("tool_calls", ())]
    _check_answered(waiting)


def _check_answered(waiting: list[str]) -> None:
    if waiting:
        raise Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages "
            f"responding to each 'tool_call_id'. Missing: {', '.join(waiting)}",
            "messages",
        )


def _check_chat_message(message: Item, param: str, extras: set[str]) -> None:
    role = message.get("role")
    if role not in ROLES:
        raise Refused(f"Invalid value: '{role}'.", f"{param}.role", "invalid_value")
    known, required = ROLES[role]
    _only(message, known | extras, param)
    for name in sorted(required - message.keys()):
        raise Refused(f"Missing required parameter: '{param}.{name}'.", f"{param}.{name}")
    for call in message.get("tool_calls", ()):
        _only(call, {"id", "type", "function", "custom"} | extras, f"{param}.tool_calls")
        if call["type"] == "function":
            check_call(call["function"]["name"], call["function"]["arguments"])
    if message.get("content") is None and not message.get("tool_calls"):
        if message.get("refusal") is None:
            raise Refused("Invalid value for 'content': expected a string, got null.", param)
        return
    if role != "tool" and message.get("content") is not None:  # a tool may give nothing
        check_says(message["content"], param)
    _check_parts(message.get("content"), _CHAT_PARTS[role], param)


def _check_parts(content: object, allowed: set[str], param: str) -> None:
    if not isinstance(content, list):
        return
    if not content:
        raise Refused(f"Invalid '{param}.content': empty array.", f"{param}.content")
    for place, part in enumerate(content):
        if part.get("type") not in allowed:
            message = (
                f"Invalid value: '{part.get('type')}'. Supported values are: {sorted(allowed)}."
            )
            raise Refused(message, f"{param}.content[{place}]", "invalid_value")


def _check_tools(body: dict[str, Any]) -> None:
    if not body.get("tools"):
        for name in ("tool_choice", "parallel_tool_calls"):
            if name in body:
                raise Refused(f"'{name}' is only allowed when 'tools' are specified.", name)
    for tool in body.get("tools", ()):
        function = tool.get("function", tool)
        if function.get("strict"):
            check_strict(function["parameters"], function["name"])
    output = body.get("text", {}).get("format") or body.get("response_format", {}).get(
        "json_schema"
    )
    if output and output.get("strict"):
        check_strict(output["schema"], output["name"])


def check_strict(schema: object, name: str) -> None:
    """The strict kind of schema: closed objects, all of it required, nothing beside a $ref."""
    for part in _schemas(schema):
        if part.get("type") == "object" and (
            part.get("additionalProperties") is not False
            or sorted(part.get("required", [])) != sorted(part.get("properties", {}))
        ):
            raise Refused(f"Invalid schema for '{name}': objects must be closed.", "tools")
        if "$ref" in part and len(part) > 1:
            raise Refused(f"Invalid schema for '{name}': $ref cannot have siblings.", "tools")
        if not {"default", "oneOf"}.isdisjoint(part):
            raise Refused(f"Invalid schema for '{name}': a keyword is not permitted.", "tools")


def _schemas(value: object) -> Iterator[Item]:
    if isinstance(value, list):
        for part in value:
            yield from _schemas(part)
    elif isinstance(value, dict):
        yield value
        for key, part in value.items():
            named = key in {"properties", "$defs"}
            yield from _schemas(list(part.values()) if named else part)


def _only(given: Item, known: set[str], param: str) -> None:
    for name in given:
        if name not in known:
            path = f"{param}.{name}" if param else name
            raise Refused(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
