"""Runs a command's coroutine on uvloop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer

T = TypeVar("T")

TERMINATED = 128 + signal.SIGTERM


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns; an interrupt or SIGTERM cancels it, and its clean-up runs.

    Raises:
        Exit: SIGTERM came; exit code 143.
    """
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_terminable(work))
        except asyncio.CancelledError:
            raise typer.Exit(TERMINATED) from None


async def _terminable(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
