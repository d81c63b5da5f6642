"""What the docs tell a reader to type is what the programs take: ``make`` targets and command lines."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer
from docpages import ROOT, Shown, commands, page
from typer.main import get_command

from weedhounds.cli.app import build_app

TARGETS = frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
LINES = sorted(set(commands("weedhounds")))


def refusal(line: str, *, is_mention: bool = False) -> str | None:
    """Return why the program would refuse the command line; ``None`` where it would take it.

    The command's own code is not run, so files need not exist.

    Args:
        is_mention: the line stands in a sentence, so what it leaves out is not missing.
    """
    command: Any = get_command(build_app())
    words = shlex.split(line, comments=True)[1:]
    while hasattr(command, "commands"):
        if not words or words[0] in ("--help", "-h", "--version"):
            return None
        name, *words = words
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    try:
        command.make_context(command.name, words)
    except typer.TyperException as error:
        told = error.format_message()
        return None if is_mention and told.startswith("Missing") else told
    except typer.Exit:  # --help
        return None
    return None


def test_the_check_itself_finds_what_is_wrong() -> None:
    assert refusal('weedhounds hunt "Blue Dream" --near "Denver, CO" --sandbox') is None
    assert refusal("weedhounds hunt --offline", is_mention=True) is None
    assert refusal("weedhounds hunt --online", is_mention=True)
    for wrong in (
        "weedhounds haunt x",
        "weedhounds hunt x",
        "weedhounds hunt x --near y --no-such-option",
        "weedhounds hunt x --near y --format yaml",
        "weedhounds sources parse weedmaps",
        "weedhounds config show one two",
    ):
        assert refusal(wrong), wrong


@pytest.mark.parametrize("shown", LINES, ids=lambda s: f"{s.page}: {s.line}")
def test_every_command_shown_is_one_that_the_program_takes(shown: Shown) -> None:
    assert refusal(shown.line, is_mention=shown.is_mention) is None


def test_the_docs_show_every_command() -> None:
    program: Any = get_command(build_app())
    names = {
        f"weedhounds {name} {sub}".strip()
        for name, command in program.commands.items()
        for sub in (getattr(command, "commands", None) or [""])
    }
    shown = {each.line for each in LINES}
    assert sorted(name for name in names if not any(f"{line} ".startswith(f"{name} ") for line in shown)) == []


@pytest.mark.parametrize("shown", sorted(set(commands("make"))), ids=lambda s: f"{s.page}: {s.line}")
def test_every_make_target_named_exists(shown: Shown) -> None:
    words = shlex.split(shown.line, comments=True)[1:]
    assert {word for word in words if "=" not in word and not word.startswith("-")} <= TARGETS


def test_the_readme_names_the_two_commands() -> None:
    shown = {" ".join(shlex.split(each.line, comments=True)) for each in commands("make") if each.page == "README.md"}
    assert {"make run", "make test"} <= shown


def test_the_readme_is_short_and_shows_the_picture() -> None:
    readme = page("README.md")
    assert len(readme.text.split()) <= 900
    assert "docs/assets/flow.svg" in readme.links
