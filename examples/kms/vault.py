"""A key provider over Vault's transit engine, with a key for each owner of conversations.

    store = Encrypted(open_store("chats.db"), VaultKeys("https://vault:8200", token))
    session = StoredSession("alice/2026-11-28", store)

Data keys are wrapped inside Vault; its keys never leave it. The part of a session id before the
first "/" is its owner. `erase_owner("alice")` deletes alice's key in Vault, and with it everything
that was ever written for alice, in backups and other copies too.
"""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from turnlog import WrongKey

__all__ = ["VaultError", "VaultKeys", "key_name"]

_SECONDS = 10.0


class VaultError(OSError):
    """Vault could not be reached, or refused: sealed, an expired token. Try again later."""


class _Answer(NamedTuple):
    """What Vault has answered. Status 0 stands for no answer at all."""

    status: int
    data: dict[str, str]
    problem: str

    def __repr__(self) -> str:
        return f"<answer {self.status}>"  # `data` may hold a key


def key_name(owner: str) -> str:
    """The name in Vault of the key of `owner`; any text can be an owner."""
    return "turnlog-" + sha256(owner.encode()).hexdigest()[:32]


class VaultKeys:
    """Wraps the data key of each conversation with a transit key of its owner.

    address, token: of Vault. The token needs `update` on transit/encrypt/turnlog-* (and `create`
        for the first conversation of an owner) and on transit/decrypt/turnlog-*.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address = address.rstrip("/")
        self._token = token

    def __repr__(self) -> str:
        return f"VaultKeys({self._address!r})"

    async def wrap(self, session: str, key: bytes) -> bytes:
        """The data key `key`, encrypted by the newest version of the owner's key."""
        # Whatever is raised, its traceback shows no key: neither here nor in `_ask`.
        try:
            answer = await self._ask("encrypt", session, "plaintext", b64encode(key).decode())
        finally:
            del key
        self._check_reached(answer)
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise VaultError(f"Vault did not encrypt: {answer.problem}")
        return answer.data["ciphertext"].encode()

    async def unwrap(self, session: str, wrapped: bytes) -> bytes:
        """The data key. Raises `WrongKey` if the owner's key is gone, or is not the one."""
        answer = await self._ask(
            "decrypt", session, "ciphertext", wrapped.decode("ascii", "replace")
        )
        self._check_reached(answer)
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise WrongKey(
                f"Vault can't decrypt the data key with {key_name(_owner(session))}: "
                f"{answer.problem}; if the key was deleted, the conversation is erased"
            )
        return b64decode(answer.data["plaintext"])

    async def erase_owner(self, owner: str) -> None:
        """Delete the owner's key: no copy of the owner's conversations can be read after that.

        Processes that read them lately remember their data keys for minutes; see `remember=`.
        """
        name = key_name(owner)
        allowed = {"deletion_allowed": True}
        for method, path, body in (
            ("POST", f"keys/{name}/config", allowed),
            ("DELETE", f"keys/{name}", {}),
        ):
            answer = await asyncio.to_thread(self._send, method, path, body)
            self._check_reached(answer)
            if answer.status >= 300:  # noqa: PLR2004 - HTTP
                raise VaultError(f"Vault did not delete the key {name}: {answer.problem}")

    async def _ask(self, verb: str, session: str, field: str, value: str) -> _Answer:
        path, context = f"{verb}/{key_name(_owner(session))}", b64encode(session.encode()).decode()
        try:
            return await asyncio.to_thread(
                self._send, "POST", path, {field: value, "context": context}
            )
        finally:
            del value

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> _Answer:
        """Runs on a thread. It returns errors: raised here, they would carry `body` along."""
        request = Request(  # noqa: S310 - the operator's address
            f"{self._address}/v1/transit/{path}",
            json.dumps(body).encode(),
            {"X-Vault-Token": self._token, "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - see above
                found = response.read()
                return _Answer(response.status, json.loads(found)["data"] if found else {}, "")
        except HTTPError as error:
            with error:
                return _Answer(error.code, {}, _problem(error.read()))
        except (OSError, ValueError, KeyError) as error:
            return _Answer(0, {}, type(error).__name__)

    def _check_reached(self, answer: _Answer) -> None:
        """Raise `VaultError` unless Vault has answered and has looked at the request."""
        if answer.status in {0, 403, 429} or answer.status >= 500:  # noqa: PLR2004 - HTTP
            status = answer.status or "no answer"
            raise VaultError(f"Vault at {self._address} failed ({status}): {answer.problem}")


def _owner(session: str) -> str:
    return session.partition("/")[0]


def _problem(body: bytes) -> str:
    try:
        return "; ".join(json.loads(body)["errors"]) or "no reason given"
    except (ValueError, KeyError, TypeError):
        return "no reason given"
