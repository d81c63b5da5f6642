"""The node of a command: settings loaded, a sandbox started where asked, its data kept apart."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from weedhounds.cli.options import START, sandbox_url
from weedhounds.cli.settings import Given, Level, start_logging

if TYPE_CHECKING:
    from weedhounds.config import Settings
    from weedhounds.node import Node


@asynccontextmanager
async def settings_for(
    given: Given, sandbox: str | None, *, usual_level: Level = "warning", sandbox_flags: Sequence[str] = ()
) -> AsyncIterator[Settings]:
    """Yield the settings of a command's node; stop the sandbox that was started for it afterwards.

    What a sandbox answers is kept apart from real data unless a data folder was named: in a
    folder that goes with a sandbox started here, else in ``sandbox`` below the usual folder.

    Args:
        sandbox: an address, ``start``, or ``None`` for none but the settings' own.
        sandbox_flags: further flags of a sandbox that is started.
    """
    settings = given.load()
    start_logging(given, settings, usual=usual_level)
    async with AsyncExitStack() as stack:
        folder: Path | None = None
        if sandbox is not None and given.source_of("data_dir") == "default":
            folder = settings.data_dir / "sandbox"
        if sandbox == START:
            from weedhounds.cli.child import started_sandbox

            if folder is not None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weedhounds-")))
            sandbox = await stack.enter_async_context(started_sandbox(*sandbox_flags))
        if sandbox is not None:
            given.arguments["sandbox_url"] = sandbox_url(sandbox)
        if folder is not None:
            given.arguments["data_dir"] = folder
        yield given.load()


@asynccontextmanager
async def started_node(given: Given, sandbox: str | None = None) -> AsyncIterator[Node]:
    """Yield a started node for a command that asks it and ends."""
    from weedhounds.node import Node

    async with settings_for(given, sandbox) as settings, Node(settings) as node:
        yield node
