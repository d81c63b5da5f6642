"""``weedhounds cache``: what the tiers hold and do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import ConfigFile, Json
from weedhounds.cli.output import Sink, to_json
from weedhounds.cli.settings import Given, start_logging
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.node import NodeStats

STATS_EXAMPLE = "Example: weedhounds cache stats --watch"
DEFAULT_NODE = "http://127.0.0.1:8420"
EVERY_S = 1.0
"""Seconds between two looks of ``--watch``."""

Look = Callable[[], Awaitable["NodeStats"]]


def stats(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it, where stdout is a terminal.")] = False,
    node: Annotated[
        str | None, typer.Option("--node", metavar="URL", help=f"Ask the node that runs there ({DEFAULT_NODE}).")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Look into this data folder instead of asking a node."),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Show hits, misses, sizes and latencies by tier and data type, and the node's other figures."""
    from weedhounds.cli.loop import run_async

    if node is not None and data_dir is not None:
        raise BadInput("give --node or --data-dir, not both")
    if watch and (as_json or data_dir is not None):
        raise BadInput("--watch shows the table of a running node: give no --json and no --data-dir")
    if data_dir is not None and not data_dir.is_dir():
        raise BadInput(f"no such folder: {data_dir}")
    run_async(_show(Given(config, data_dir=data_dir), node or DEFAULT_NODE, watches=watch, as_json=as_json))


async def _show(given: Given, url: str, *, watches: bool, as_json: bool) -> None:
    folder: Path | None = given.arguments["data_dir"]
    sink = Sink()
    async with _looking(given, url) as look:
        if watches and sink.is_terminal:
            await _watch(look, url)
            return
        found = await look()
    if as_json:
        sink.write(to_json(found))
        return
    from weedhounds.cli.stats_table import folder_text, node_text
    from weedhounds.cli.tables import terminal_width

    width = terminal_width(sink.is_terminal)
    text = node_text(found, url, width) if folder is None else folder_text(found, str(folder), width)
    sink.write(text.encode("utf-8", "replace"))


@asynccontextmanager
async def _looking(given: Given, url: str) -> AsyncIterator[Look]:
    """Yield what tells the figures: a running node, or one that is started on a data folder and asks nobody."""
    if given.arguments["data_dir"] is None:
        from weedhounds.cli.remote import ask_stats

        yield lambda: ask_stats(url)
        return
    from weedhounds.config import ClockSettings
    from weedhounds.node import Node

    given.arguments |= {"fetch": {"pool_workers": 0}, "history": {"enabled": False}}
    settings = given.load().model_copy(update={"sandbox_url": None, "clock": ClockSettings()})
    start_logging(given, settings, usual="warning")
    async with Node(settings) as node:

        async def look() -> NodeStats:
            return node.stats()

        yield look


async def _watch(look: Look, url: str) -> None:
    """Show the figures on the terminal, again each second, until interrupted."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from weedhounds.cli.stats_table import node_text
    from weedhounds.cli.tables import terminal_width

    with Live(console=Console(), auto_refresh=False) as live:
        while True:
            shown = node_text(await look(), url, terminal_width(True))
            live.update(Text.from_ansi(shown), refresh=True)
            await asyncio.sleep(EVERY_S)
