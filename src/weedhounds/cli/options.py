"""The options that several commands share, and ``--sandbox`` with its optional address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import typer
from typer.core import TyperCommand

from weedhounds.errors import BadInput

START = "start"
"""The value of ``--sandbox`` without an address: start one."""

_ADDRESS = re.compile(r"https?://\S+|[\w.-]+:\d{1,5}/?", re.ASCII)

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file; default: weedhounds.toml in the working folder."),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option("--log-level", help="Least level written to stderr; default: info for up, else warning."),
]
LogFormat = Annotated[
    Literal["console", "json"] | None, typer.Option("--log-format", help="Log lines as text or as JSON.")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help="Folder of everything the node keeps.")]
SandboxAt = Annotated[
    str | None,
    typer.Option(
        "--sandbox",
        metavar="[URL]",
        help="Ask a simulated market: the one at URL, or without an address one started for this.",
    ),
]
DeadlineS = Annotated[
    float | None,
    typer.Option("--deadline-s", metavar="S", help="Seconds until the answer is given with what is there (5)."),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Ask what is held alone, however old it is; each fact shows its age.")
]
Currency = Annotated[
    str, typer.Option("--currency", metavar="CODE", help="Currency of prices that state none (ISO 4217).")
]
KindName = Annotated[
    Literal["menu", "shops", "strains", "products", "promotions", "labs", "licences"] | None,
    typer.Option("--kind", help="What the answer holds; detected unless given."),
]


class SandboxCommand(TyperCommand):
    """A command whose ``--sandbox`` may stand without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, an address filled in where ``--sandbox`` has none.

        Typer has no option with an optional value, and gives ``ctx`` a type of its own insides.
        """
        return super().parse_args(ctx, with_sandbox_value(args))


def with_sandbox_value(args: list[str]) -> list[str]:
    """Return ``args`` where every ``--sandbox`` has a value: the address that follows, else ``start``.

    Example:
        >>> with_sandbox_value(["--sandbox", "Blue Dream"])
        ['--sandbox=start', 'Blue Dream']
        >>> with_sandbox_value(["--sandbox", "http://127.0.0.1:8430", "gummies"])
        ['--sandbox=http://127.0.0.1:8430', 'gummies']
    """
    filled: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*filled, word, *rest]
        if word == "--sandbox":
            word += f"={rest.pop(0) if rest and _ADDRESS.fullmatch(rest[0]) else START}"
        filled.append(word)
    return filled


def sandbox_url(value: str) -> str:
    """Return the address given to ``--sandbox``, with its scheme and no final slash.

    Raises:
        BadInput: not the address of a server.
    """
    url = (value if "://" in value else f"http://{value}").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"not the address of a sandbox: {value!r} (expected http://HOST:PORT)")
    return url
