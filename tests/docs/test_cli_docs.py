"""The reference of the command line is what the program's own help says, command by command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from docpages import page
from typer.main import get_command

from weedhounds.cli import flat
from weedhounds.cli.app import build_app

PAGE = page("docs/reference/cli.md")


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with the words that call it."""
    tree: Any = get_command(build_app())
    for name, command in tree.commands.items():
        inner = getattr(command, "commands", None)
        yield from ((f"{name} {sub}", each) for sub, each in inner.items()) if inner else [(name, command)]


def section(heading: str) -> str:
    """Return the text below a heading, to the next one."""
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", PAGE.text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading}"
    return found[1]


def documented(parameter: Any) -> str:
    """Return the table row that the page must have for an argument or option."""
    if parameter.param_type_name == "argument":
        return f"| `{parameter.metavar.strip('[]')}` | | {parameter.help} |"
    names = ", ".join(f"`{name}`" for name in sorted(parameter.opts, key=len, reverse=True))
    return f"| {names} | {value_of(parameter)} | {parameter.help} |".replace("|  |", "| |")


def value_of(parameter: Any) -> str:
    """Return what an option takes: nothing, one of some words, or a value of a name."""
    if parameter.is_flag:
        return ""
    shown = parameter.metavar or parameter.display_type_rich(None).strip("<>")
    choices = shown.split("|")
    return " ".join(f"`{choice}`" for choice in choices) if len(choices) > 1 else f"`{shown.split()[0]}`"


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_command_is_described_as_its_help_says(name: str, command: Any) -> None:
    text = section(f"weedhounds {name}")
    assert " ".join(command.help.split()) in " ".join(text.split())
    table = text.partition("| argument or option | value | meaning |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == [documented(parameter) for parameter in command.params]


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda v: v if isinstance(v, str) else "")
def test_a_commands_example_is_shown(name: str, command: Any) -> None:
    assert command.epilog.removeprefix("Example: ") in section(f"weedhounds {name}")


def test_no_command_is_described_that_is_not_there() -> None:
    described = {h.removeprefix("weedhounds ") for h in PAGE.headings if h.startswith("weedhounds ")}
    assert described == {name for name, _ in commands()}


def test_the_columns_of_csv_and_parquet_are_listed_in_their_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", section("Columns of CSV and Parquet"), re.MULTILINE)
    assert rows == [(column.name, column.type) for column in flat.COLUMNS]
