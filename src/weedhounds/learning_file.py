"""Keeps what the learner knows in a file of the data folder, across restarts.

Written every ten minutes and at the end, beside the event loop, as a new file that then takes the
old one's place: a crash loses at most ten minutes of learning, and leaves no half file. A file that
cannot be used is said so once, and the learner starts afresh.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from weedhounds.telemetry import get_logger
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.state import MAX_STATE_BYTES, Snapshot, load

FILE_NAME = "learner.whtl"
SAVE_S = 600.0
"""Seconds between two writings."""

log = get_logger("weedhounds.learning")


class LearnerFile:
    """The file of a learner's state. :meth:`open` first; all methods belong to one event loop.

    Two nodes on one data folder each write their own; the one that writes last is kept. One that ends
    and finds that another has written since does not write.

    Args:
        price: of a call, in stale serves, for a learner that starts afresh.
    """

    def __init__(self, path: Path, *, price: float, save_s: float = SAVE_S) -> None:
        self._path = path
        self._save_s = save_s
        self.learner = Learner(price)
        self._stamp: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> Learner:
        """Read the file and begin to write it now and then; return the learner."""
        data = await asyncio.to_thread(self._read)
        if data is not None:
            restored = await asyncio.to_thread(load, data, price=self.learner.price)
            self.learner = restored.learner
            if restored.problem is not None:
                log.warning("lifetimes are learnt afresh", why=restored.problem, file=str(self._path))
        self._task = asyncio.create_task(self._run(), name="learner's state")
        return self.learner

    async def save(self) -> None:
        """Write the file; one that cannot be written is told, and costs nothing else."""
        try:
            await asyncio.to_thread(self._write, Snapshot(self.learner))
        except OSError as error:
            log.warning("what was learnt is not kept", why=str(error), file=str(self._path))

    async def close(self) -> None:
        """Write the file once more, where there is something to keep and nobody else has written it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self.learner.keys and self._stamp == self._written():
            await self.save()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._save_s)
            await self.save()

    def _read(self) -> bytes | None:
        try:
            if self._path.stat().st_size > MAX_STATE_BYTES:
                return b""
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("what was learnt cannot be read", why=str(error), file=str(self._path))
            return None
        self._stamp = self._written()
        return data

    def _write(self, snapshot: Snapshot) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with beside.open("wb") as file:
                file.write(snapshot.to_bytes())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        self._stamp = self._written()

    def _written(self) -> int | None:
        """Return when the file was written last, ns, or ``None`` where there is none."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None
