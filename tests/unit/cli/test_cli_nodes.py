"""Which settings a command's node gets: the sandbox's address, a folder apart, the level of its log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from command_lines import Run
from sample_answers import FakeNode
from weedhounds import telemetry
from weedhounds.cli import child

HUNT = ("hunt", "--near", "Denver, CO", "--json")


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Start no process for ``--sandbox``; return what happened to the one that was not started."""
    events: list[str] = []

    @asynccontextmanager
    async def started_sandbox(*flags: str) -> AsyncIterator[str]:
        events.append("started")
        try:
            yield "http://127.0.0.1:4711"
        finally:
            events.append("stopped")

    monkeypatch.setattr(child, "started_sandbox", started_sandbox)
    return events


def test_real_data_lies_in_the_usual_folder(cli: Run, fake: FakeNode, tmp_path: Path) -> None:
    assert cli(*HUNT).code == 0
    assert (fake.settings.sandbox_url, fake.settings.data_dir) == (None, tmp_path / "data" / "weedhounds")


def test_what_a_running_sandbox_answers_is_kept_apart(cli: Run, fake: FakeNode, tmp_path: Path) -> None:
    assert cli(*HUNT, "--sandbox", "localhost:8430").code == 0
    assert fake.settings.sandbox_url == "http://localhost:8430"
    assert fake.settings.data_dir == tmp_path / "data" / "weedhounds" / "sandbox"


def test_what_a_sandbox_started_here_answers_goes_with_it(cli: Run, fake: FakeNode, market: list[str]) -> None:
    assert cli(*HUNT, "--sandbox").code == 0
    assert fake.settings.sandbox_url == "http://127.0.0.1:4711"
    assert market == ["started", "stopped"]
    assert "weedhounds-" in fake.settings.data_dir.name
    assert not fake.settings.data_dir.exists()


def test_the_sandbox_is_stopped_where_the_hunt_fails(cli: Run, fake: FakeNode, market: list[str]) -> None:
    fake.error = RuntimeError("boom")
    assert cli(*HUNT, "--sandbox").code == 1
    assert market == ["started", "stopped"]
    assert not fake.settings.data_dir.exists()


@pytest.mark.parametrize("how", ["argument", "environment", "file"])
def test_a_folder_that_was_named_is_used_for_a_sandbox_too(
    cli: Run, fake: FakeNode, market: list[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    flags: tuple[str, ...] = ()
    if how == "argument":
        flags = ("--data-dir", "named")
    elif how == "environment":
        monkeypatch.setenv("WEEDHOUNDS_DATA_DIR", "named")
    else:
        Path("weedhounds.toml").write_text("data_dir = 'named'")
    assert cli(*HUNT, "--sandbox", *flags).code == 0
    assert fake.settings.data_dir == Path("named")


@pytest.mark.parametrize(
    ("flags", "level"),
    [((), "warning"), (("--log-level", "debug"), "debug"), (("--log-level", "info"), "info")],
)
def test_a_command_that_ends_logs_warnings_unless_told_otherwise(
    cli: Run, fake: FakeNode, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], level: str
) -> None:
    chosen: list[tuple[str, str]] = []
    monkeypatch.setattr(telemetry, "configure_logging", lambda *how: chosen.append(how))
    assert cli(*HUNT, *flags, "--log-format", "json").code == 0
    assert chosen == [(level, "json")]
