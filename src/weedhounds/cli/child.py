"""A sandbox started for one command, as a process of its own that ends with it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from weedhounds.errors import WeedHoundsError

READY_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


class SandboxReady(msgspec.Struct, frozen=True):
    """What ``weedhounds sandbox --json`` prints once it answers."""

    url: str
    seed: int


@asynccontextmanager
async def started_sandbox(*flags: str) -> AsyncIterator[str]:
    """Start a sandbox on a free port; yield its address; stop it.

    It runs in a session of its own, so that Ctrl-C stops it after the node and not before; it
    ends by itself when this process is gone, because its standard input ends then.

    Args:
        flags: further flags of ``weedhounds sandbox``.

    Raises:
        WeedHoundsError: it did not start within 60 s.
    """
    command = (sys.executable, "-m", "weedhounds", "sandbox", "--port", "0", "--json", "--until-eof", *flags)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
        env=_environment(),
    )
    try:
        yield await _address(process)
    finally:
        await _stop(process)


def _environment() -> dict[str, str]:
    """Return the environment without settings: those are the node's."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("WEEDHOUNDS_")}


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            line = await process.stdout.readline()
        return msgspec.json.decode(line, type=SandboxReady).url
    except (TimeoutError, msgspec.MsgspecError, ValueError) as error:
        raise WeedHoundsError("the sandbox did not start") from error


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
