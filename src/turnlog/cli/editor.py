"""The user's editor, opened on a text."""

import os
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from turnlog.cli.errors import Problem

__all__ = ["edited"]


def edited(text: str, name: str) -> str:
    """`text` as the editor in $VISUAL or $EDITOR has left it; "vi" if neither is set.

    name: of the file in which it is edited. Only this user can read it, and it is deleted after
        that.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with TemporaryDirectory(prefix="turnlog-") as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(command), path], check=True)  # noqa: S603 - the user's own
        except (OSError, subprocess.CalledProcessError) as error:
            raise Problem(f"the editor {command!r} failed: {error}; set $EDITOR") from None
        return path.read_text(encoding="utf-8")
