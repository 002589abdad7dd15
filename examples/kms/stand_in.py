"""A stand-in for Vault's transit engine: the requests that `VaultKeys` makes, and their answers.

Keys are "derived" ones, as Vault makes them for requests with a context. Nothing is encrypted as
Vault does it, and nothing is kept: for tests and for trying the example.
"""

import hmac
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256, sha512
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

__all__ = ["StandIn", "standing_in"]


class _Refused(Exception):
    """An answer with a status other than 200 or 204."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class StandIn:
    """Named keys with versions, and what a client may do with them.

    sealed: answer every request as a sealed Vault does.
    """

    def __init__(self) -> None:
        self.token = "root"  # noqa: S105 - of a stand-in
        self.address = ""
        self.sealed = False
        #: The versions of each key, the oldest first.
        self.keys: dict[str, list[bytes]] = {}
        #: The keys that may be deleted, and the oldest version of each that still decrypts.
        self.deletable: set[str] = set()
        self.oldest: dict[str, int] = {}

    def answer(
        self, method: str, path: str, token: str | None, body: dict[str, object]
    ) -> dict[str, str] | None:
        """The field `data` of the answer."""
        if self.sealed:
            raise _Refused(503, "Vault is sealed")
        if token != self.token:
            raise _Refused(403, "permission denied")
        match method, *path.removeprefix("/v1/transit/").split("/"):
            case "POST", "encrypt", name:
                return {"ciphertext": self._encrypted(name, body)}
            case "POST", "decrypt", name:
                return {"plaintext": self._decrypted(name, body)}
            case "POST", "rewrap", name:
                return {
                    "ciphertext": self._encrypted(
                        name, {**body, "plaintext": self._decrypted(name, body)}
                    )
                }
            case "POST", "keys", name, "rotate":
                self._known(name).append(os.urandom(32))
            case "POST", "keys", name, "config":
                self._configure(name, body)
            case "DELETE", "keys", name:
                self._delete(name)
            case _:
                raise _Refused(404, "no handler for route")
        return None

    def _known(self, name: str) -> list[bytes]:
        if name not in self.keys:
            raise _Refused(400, "encryption key not found")
        return self.keys[name]

    def _configure(self, name: str, body: dict[str, object]) -> None:
        self._known(name)
        if body.get("deletion_allowed"):
            self.deletable.add(name)
        if "min_decryption_version" in body:
            self.oldest[name] = int(str(body["min_decryption_version"]))

    def _delete(self, name: str) -> None:
        self._known(name)
        if name not in self.deletable:
            raise _Refused(400, "deletion is not allowed for this key")
        del self.keys[name]
        self.deletable.discard(name)

    def _encrypted(self, name: str, body: dict[str, object]) -> str:
        # A key that isn't there is made, as for a token that may create it.
        versions = self.keys.setdefault(name, [os.urandom(32)])
        plain, nonce = b64decode(str(body["plaintext"])), os.urandom(16)
        key = _derived(versions[-1], body)
        sealed = nonce + _mixed(key, nonce, plain)
        return f"vault:v{len(versions)}:{b64encode(sealed + _tag(key, sealed)).decode()}"

    def _decrypted(self, name: str, body: dict[str, object]) -> str:
        versions = self._known(name)
        parts = str(body["ciphertext"]).split(":")
        if len(parts) != 3 or parts[0] != "vault" or not parts[1][1:].isdigit():  # noqa: PLR2004 - its form
            raise _Refused(400, "invalid ciphertext: no prefix")
        number = int(parts[1][1:])
        if not self.oldest.get(name, 1) <= number <= len(versions):
            raise _Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        key, stored = _derived(versions[number - 1], body), b64decode(parts[2])
        if not hmac.compare_digest(_tag(key, stored[:-32]), stored[-32:]):
            raise _Refused(400, "cipher: message authentication failed")
        return b64encode(_mixed(key, stored[:16], stored[16:-32])).decode()


def _derived(key: bytes, body: dict[str, object]) -> bytes:
    if not body.get("context"):
        raise _Refused(
            400, "missing 'context' for key derivation; the key was created using a derived key"
        )
    return hmac.digest(key, b64decode(str(body["context"])), sha256)


def _mixed(key: bytes, nonce: bytes, text: bytes) -> bytes:
    """`text` of up to 64 bytes, encrypted or decrypted."""
    stream = hmac.digest(key, b"stream" + nonce, sha512)
    return bytes(one ^ other for one, other in zip(text, stream, strict=False))


def _tag(key: bytes, sealed: bytes) -> bytes:
    return hmac.digest(key, b"tag" + sealed, sha256)


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """A stand-in that answers on a free port of this machine."""
    vault = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            try:
                data = vault.answer(self.command, self.path, self.headers["X-Vault-Token"], body)
            except _Refused as refused:
                self._send(refused.status, {"errors": [str(refused)]})
            else:
                self._send(HTTPStatus.OK if data else HTTPStatus.NO_CONTENT, {"data": data})

        do_POST = do_DELETE = handle_one  # noqa: N815 - names of the standard library

        def _send(self, status: int, answer: object) -> None:
            body = b"" if status == HTTPStatus.NO_CONTENT else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vault.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
