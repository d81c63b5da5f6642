"""The command line in process, on a node that answers from memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import weedhounds.node
from command_lines import Ran, Run
from sample_answers import FakeNode
from weedhounds.cli.app import run
from weedhounds.config import Settings


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every command away from the user's settings and data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs one command line."""

    def ran(*arguments: str) -> Ran:
        code = run(arguments)
        sys.stdout.flush()
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return ran


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """Put a node that answers from memory in the place of the real one."""
    node = FakeNode()

    class Started:
        def __init__(self, settings: Settings) -> None:
            node.settings = settings

        async def __aenter__(self) -> FakeNode:
            return node

        async def __aexit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(weedhounds.node, "Node", Started)
    return node
