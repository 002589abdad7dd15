"""basedpyright's language server: what an editor shows of a place in a program."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests import ROOT

__all__ = ["LanguageServer"]


class LanguageServer:
    """One server with one open file, which needs not exist."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._file = (ROOT / ".typing_cache" / "hover.py").as_uri()
        self._asked = 0

    def __enter__(self) -> Self:
        tool = Path(sys.executable).parent / "basedpyright-langserver"
        self._process = subprocess.Popen(
            [tool, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        formats = {"contentFormat": ["plaintext"]}
        self._ask(
            "initialize",
            processId=os.getpid(),
            rootUri=ROOT.as_uri(),
            workspaceFolders=[{"uri": ROOT.as_uri(), "name": "turnlog"}],
            capabilities={"textDocument": {"hover": formats}},
        )
        self._send(method="initialized", params={})
        file = {"uri": self._file, "languageId": "python", "version": 1, "text": self._code}
        self._send(method="textDocument/didOpen", params={"textDocument": file})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def hover(self, text: str) -> str:
        """What is shown over the end of the first `text` in the file."""
        before = self._code[: self._code.index(text) + len(text) - 1]
        place = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        shown = self._ask("textDocument/hover", textDocument={"uri": self._file}, position=place)
        return str(shown["contents"]["value"])

    def _ask(self, method: str, **params: Any) -> Any:
        self._asked += 1
        self._send(id=self._asked, method=method, params=params)
        while True:
            message = self._receive()
            if "method" not in message and message.get("id") == self._asked:
                return message["result"]
            if "method" in message and "id" in message:  # it asks for the editor's settings
                wanted = message["params"].get("items", []) if message.get("params") else []
                self._send(id=message["id"], result=[{} for _ in wanted])

    def _send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        size = 0
        while header := self._process.stdout.readline().strip():
            name, _, value = header.partition(b":")
            size = int(value) if name == b"Content-Length" else size
        assert size, "the language server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(size))
        return message
