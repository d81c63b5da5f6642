"""Where a command's document goes: stdout or a file, as bytes, in one piece."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from weedhounds.errors import BadInput


class Sink:
    """Takes one document.

    Args:
        path: a file, replaced whole once the document is there; ``None`` for stdout.

    Raises:
        BadInput: the file cannot be written; found before any work is done.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK)):
            raise BadInput(f"cannot write {path}")

    @property
    def is_terminal(self) -> bool:
        """Tell whether a person looks at it."""
        return self._path is None and sys.stdout.isatty()

    def write(self, document: bytes) -> None:
        """Write the document."""
        if self._path is None:
            sys.stdout.flush()
            sys.stdout.buffer.write(document)
            sys.stdout.buffer.flush()
            return
        part = self._path.with_name(f"{self._path.name}.part{os.getpid()}")
        try:
            part.write_bytes(document)
            part.replace(self._path)
        finally:
            part.unlink(missing_ok=True)


def to_json(document: object) -> bytes:
    """Return ``document`` as one line of strict JSON; what is no valid text is written as U+FFFD."""
    try:
        return msgspec.json.encode(document) + b"\n"
    except UnicodeEncodeError:
        return msgspec.json.encode(_scrubbed(msgspec.to_builtins(document))) + b"\n"


def _scrubbed(value: Any) -> Any:
    """Replace unpaired surrogates, which UTF-8 cannot hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, dict):
        return {_scrubbed(k): _scrubbed(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(each) for each in value]
    return value
