"""``weedhounds config show`` and ``config check``: the settings in force."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from weedhounds.cli.options import ConfigFile, DataDir, Json
from weedhounds.cli.settings import Given, flat_settings
from weedhounds.errors import ConfigError

if TYPE_CHECKING:
    from weedhounds.config import Settings

SHOW_EXAMPLE = "Example: weedhounds config show --json"
CHECK_EXAMPLE = "Example: weedhounds config check --config weedhounds.toml"


class ShownSetting(msgspec.Struct, frozen=True):
    """One setting in force: its value (secrets masked) and where it came from."""

    name: str
    value: object
    source: str


class Check(msgspec.Struct, frozen=True):
    """One thing looked at by ``config check``."""

    what: str
    ok: bool
    detail: str


AllSettings = Annotated[bool, typer.Option("--changed", help="Only those that are no defaults.")]


def show(
    *, config: ConfigFile = None, data_dir: DataDir = None, changed: AllSettings = False, as_json: Json = False
) -> None:
    """Show every setting in force and where it came from: default, file, environment or argument."""
    from weedhounds.cli.output import Sink, to_json

    given = Given(config, data_dir=data_dir)
    settings = [ShownSetting(n, v, given.source_of(n)) for n, v in flat_settings(given.load())]
    if changed:
        settings = [setting for setting in settings if setting.source != "default"]
    sink = Sink()
    if as_json:
        sink.write(to_json({"settings": settings}))
        return
    from weedhounds.cli.tables import Column, render_table, terminal_width

    rows = [(s.name, _shown(s.value), s.source) for s in settings]
    columns = (Column("setting"), Column("value"), Column("from"))
    sink.write(render_table(columns, rows, terminal_width(sink.is_terminal)).encode("utf-8", "replace"))


def _shown(value: object) -> str:
    from weedhounds.cli.text import one_line

    if value is None:
        return ""
    return one_line(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def check(*, config: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Check that the settings can work: known names and origins, lifetimes, data folder, address."""
    from weedhounds.cli.output import Sink, to_json

    checks = checks_of(Given(config, data_dir=data_dir).load())
    lines = [f"{'ok ' if each.ok else 'bad'}  {each.what}: {each.detail}\n" for each in checks]
    Sink().write(to_json({"checks": checks}) if as_json else "".join(lines).encode("utf-8", "replace"))
    bad = [f"{each.what}: {each.detail}" for each in checks if not each.ok]
    if bad:
        raise ConfigError("; ".join(bad))


def checks_of(settings: Settings) -> list[Check]:
    """Look at everything that can be judged without starting a node."""
    return [
        _check_origins(settings),
        _check_lifetimes(settings),
        _check_folder(settings.data_dir),
        _check_address(settings),
    ]


def _check_origins(settings: Settings) -> Check:
    from weedhounds.origins import live_origins

    try:
        return Check("origins", True, ", ".join(live_origins(settings)))
    except ConfigError as error:
        return Check("origins", False, str(error))


def _check_lifetimes(settings: Settings) -> Check:
    from weedhounds.clock import SystemClock
    from weedhounds.learning import learning_of
    from weedhounds.model.datatypes import DataType

    try:
        lifetimes = learning_of(settings.cache, clock=SystemClock()).lifetimes
    except ConfigError as error:
        return Check("lifetimes", False, str(error))
    return Check("lifetimes", True, ", ".join(sorted({lifetimes.strategy_of(each).value for each in DataType})))


def _check_folder(folder: Path) -> Check:
    """Find out whether the folder, or the nearest one above it that is there, can be written."""
    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), Path("/"))
    if not there.is_dir():
        return Check("data folder", False, f"{there} is no folder")
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        return Check("data folder", False, f"{there} cannot be written")
    return Check("data folder", True, str(folder))


def _check_address(settings: Settings) -> Check:
    from weedhounds.api.listen import check_listen, url_of

    try:
        check_listen(settings.server)
    except ConfigError as error:
        return Check("address", False, str(error))
    return Check("address", True, url_of(settings.server.host, settings.server.port))
