"""The node of ``bench_loop.py``: what ``weedhounds up`` runs, with a watch in its event loop.

SIGUSR1 prints a :class:`loopwatch.Report` of what was seen since the last one, as a JSON line.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
from loopwatch import LoopWatch

from weedhounds.cli.loop import run_async
from weedhounds.cli.serve import serve
from weedhounds.cli.settings import Given


async def watched(sandbox_url: str, data_dir: Path, *, with_stacks: bool) -> None:
    """Serve until SIGTERM, beating."""
    watch = LoopWatch(with_stacks=with_stacks)
    beating = asyncio.create_task(watch.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tell, watch)
    await serve(Given(None, data_dir=data_dir, server={"port": 0}), sandbox_url, sandbox_flags=(), as_json=True)
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating


def _tell(watch: LoopWatch) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(watch.report()) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    run_async(watched(sys.argv[1], Path(sys.argv[2]), with_stacks=sys.argv[3:] == ["--stacks"]))
