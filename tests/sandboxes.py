"""Real sandbox processes for tests, and nodes that ask them."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weedhounds.config import Settings, load_settings

READY_S = 30.0


class RunningSandbox:
    """A simulated market in a process of its own, and its control routes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, path: str, body: object = None) -> Any:
        """Ask a control route; a body makes it a POST."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def calls(self) -> int:
        """Return how many calls the origins have seen since the last reset."""
        return sum(self.control("/_sandbox/calls")["by_origin"].values())

    def reset(self) -> None:
        """Clear faults, counters and buckets."""
        self.control("/_sandbox/reset", {})

    def fault(self, origin: str, fault: str | None, **options: object) -> None:
        """Switch a fault on or off."""
        self.control("/_sandbox/fault", {"origin": origin, "fault": fault, **options})


@contextmanager
def running_sandbox(*options: str) -> Iterator[RunningSandbox]:
    """Run ``weedhounds sandbox`` on a free port until the block ends."""
    command = [sys.executable, "-m", "weedhounds", "sandbox", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready on" in line, f"the sandbox did not start: {line!r}"
        yield RunningSandbox(line.split("ready on ")[1].split()[0])
    finally:
        process.terminate()
        process.wait(READY_S)
        assert process.stdout is not None
        process.stdout.close()


def node_settings(sandbox: RunningSandbox, data_dir: Path, **changes: Any) -> Settings:
    """Return the settings of a node that asks ``sandbox``; parses in threads unless told otherwise."""
    return load_settings(sandbox_url=sandbox.url, data_dir=data_dir, **{"fetch": {"pool_workers": 0}, **changes})
