"""``weedhounds db init`` and ``db check``: the database's tables, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import ConfigFile, DataDir, Json
from weedhounds.cli.settings import Given
from weedhounds.errors import TierUnavailable

if TYPE_CHECKING:
    from weedhounds.cache.check import Finding
    from weedhounds.config import Settings

INIT_EXAMPLE = "Example: weedhounds db init --config weedhounds.toml"
CHECK_EXAMPLE = "Example: weedhounds db check --json"

LimitS = Annotated[
    float,
    typer.Option("--limit-s", metavar="S", min=0.1, max=86_400, help="Longest search for damage, seconds."),
]


def init(*, config: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Make the database's tables, or bring them up to date. Doing it again changes nothing."""
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json

    place, version = run_async(_init(Given(config, data_dir=data_dir).load()))
    text = f"{place}: schema version {version}\n"
    Sink().write(to_json({"place": place, "version": version}) if as_json else text.encode("utf-8", "replace"))


async def _init(settings: Settings) -> tuple[str, int]:
    from weedhounds.cache.ddl import SCHEMA_VERSION
    from weedhounds.clock import SystemClock
    from weedhounds.node import database_for

    database = database_for(settings, SystemClock())
    try:
        await database.open()
    finally:
        await database.close()
    return database.backend.place, SCHEMA_VERSION


def check(
    *, config: ConfigFile = None, data_dir: DataDir = None, limit_s: LimitS = 60.0, as_json: Json = False
) -> None:
    """Look for what is wrong with the database, and change nothing. Fails where something is."""
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json

    findings = run_async(_check(Given(config, data_dir=data_dir).load(), limit_s))
    lines = [f"{'ok ' if each.ok else 'bad'}  {each.what}: {each.detail}\n" for each in findings]
    Sink().write(to_json({"checks": findings}) if as_json else "".join(lines).encode("utf-8", "replace"))
    bad = [f"{each.what}: {each.detail}" for each in findings if not each.ok]
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise TierUnavailable(bad[0] + more, retryable=False)


async def _check(settings: Settings, limit_s: float) -> list[Finding]:
    from weedhounds.cache.check import check_database
    from weedhounds.clock import SystemClock
    from weedhounds.node import database_address

    return await check_database(database_address(settings), clock=SystemClock(), limit_s=limit_s)
