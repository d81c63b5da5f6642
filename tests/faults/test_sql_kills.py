"""A process that is killed in the midst of writing loses nothing that it was told is stored, and leaves nothing half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
import sql_child
from sql_child import numbered

from sql_kits import Kit, kit

__all__ = ["kit"]

SCRIPT = Path(sql_child.__file__)
KILLS = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 50
"""With `make fuzz` many more."""
STEP = 100_000
"""Numbers between two writers: more than one can have written and not yet said."""


class Writers:
    """A process that forks writers, one after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.flushed = 0

    def start(self, first: int) -> tuple[int, int]:
        """Start a writer; return its process id once it writes, and how far the one before had come by its own word."""
        self._stdin.write(f"{first}\n")
        self._stdin.flush()
        pid, is_open = 0, False
        while not (pid and is_open):
            word, number = self.line()
            pid = number if word == "pid" else pid
            is_open = is_open or (word, number) == ("open", first)
        before, self.flushed = self.flushed, first
        return pid, before

    def line(self) -> tuple[str, int]:
        """Return the next thing said."""
        line = self._stdout.readline()
        word, _, rest = line.strip().partition(" ")
        assert word in ("pid", "open", "flushed"), f"the writer said {line!r}"
        if word == "flushed":
            self.flushed = int(rest)
        return word, int(rest)


@contextmanager
def writers(url: str) -> Iterator[Writers]:
    command = [sys.executable, str(SCRIPT), "writers", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Writers(process)
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.timeout(1200 if KILLS > 50 else 120)
async def test_whatever_was_flushed_survives_every_kill(kit: Kit) -> None:
    rng = Random(20_250_615)
    ranges: list[range] = []
    first = 0
    with writers(kit.url) as farm:
        pid, _ = farm.start(first)
        for _ in range(KILLS):
            for _ in range(rng.randrange(12)):
                farm.line()
            os.kill(pid, signal.SIGKILL)
            following = farm.flushed + STEP
            pid, reached = farm.start(following)
            ranges.append(range(first, reached))
            first = following
        os.kill(pid, signal.SIGKILL)
    assert sum(map(len, ranges)) > KILLS
    await assert_held(kit, ranges)
    assert_counts(kit)


async def assert_held(kit: Kit, ranges: list[range]) -> None:
    async with kit.opened(busy_timeout_s=10) as reader:
        for some in ranges:
            keys = {numbered(number).key: number for number in some}
            found = await reader.tier.get_many(list(keys))
            assert set(found) == set(keys)
            for key, entry in found.items():
                right = numbered(keys[key])
                assert (entry.body, entry.digest) == (right.body, right.digest)


def assert_counts(kit: Kit) -> None:
    size = "length(`key`) + length(body) + 200" if kit.server is None else "size"
    counted = kit.rows("SELECT `rows`, bytes FROM totals WHERE name = 'entries'")
    assert counted == kit.rows(f"SELECT count(*), sum({size}) FROM entries")
    assert kit.rows("SELECT `rows` FROM totals WHERE name = 'identities'") == [(kit.count("identities"),)]
