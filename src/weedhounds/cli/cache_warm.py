"""``weedhounds cache warm``: fetch what hunts near a place would need, before anybody hunts there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import ConfigFile, DataDir, Json, LogFormat, LogLevel, SandboxAt
from weedhounds.cli.output import Sink, to_json
from weedhounds.cli.settings import Given
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.query.answer import HuntAnswer
    from weedhounds.warming.place import Hunts, Progress, WarmReport

EXAMPLE = 'Example: weedhounds cache warm --near "Denver, CO" --radius-km 40'
LIMIT_S = 600.0
MOST_LIMIT_S = 86_400.0
STRAINS = 200


def warm(
    *,
    near: Annotated[
        str, typer.Option("--near", metavar="PLACE", help='A city ("Denver, CO"), a ZIP code or "lat,lon".')
    ],
    radius_km: Annotated[float | None, typer.Option("--radius-km", metavar="KM", help="Radius, 0 to 500 (25).")] = None,
    limit_s: Annotated[
        float, typer.Option("--limit-s", metavar="S", help="Seconds until it stops with what is there (600).")
    ] = LIMIT_S,
    strains: Annotated[
        int, typer.Option("--strains", metavar="N", min=0, help="Facts of the N strains most offered there (200).")
    ] = STRAINS,
    sandbox: SandboxAt = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="URL", help="Let the node that runs there do it.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Fetch shops, menus, prices, promotions and strains near a place, within the origins' budgets.

    What is held fresh is not fetched again. Fails where nothing could be read.
    """
    from weedhounds.cli.loop import run_async

    if sandbox is not None and node is not None:
        raise BadInput("give --sandbox or --node, not both")
    if not 0 < limit_s <= MOST_LIMIT_S:
        raise BadInput(f"--limit-s must be over 0 and at most {MOST_LIMIT_S:g}, not {limit_s:g}")
    given = Given(config, data_dir=data_dir, log={"level": log_level, "format": log_format})
    wanted = _Wanted(near, radius_km, limit_s, strains)
    report = run_async(_at(node, given, wanted) if node is not None else _here(given, sandbox, wanted))
    Sink().write(to_json(report) if as_json else report_text(report).encode("utf-8", "replace"))
    if report.missing and not report.records:
        raise typer.Exit(1)


class _Wanted:
    """What is to be warmed."""

    def __init__(self, near: str, radius_km: float | None, limit_s: float, strains: int) -> None:
        self.near = near
        self.radius_km = radius_km
        self.limit_s = limit_s
        self.strains = strains

    async def of(self, node: Hunts) -> WarmReport:
        """Warm it through ``node``, and show how far it has got."""
        from weedhounds.cli.progress import progress_bar
        from weedhounds.clock import SystemClock
        from weedhounds.warming.place import warm_place

        with progress_bar("warming") as progress:
            return await warm_place(
                node,
                self.near,
                clock=SystemClock(),
                radius_km=self.radius_km,
                limit_s=self.limit_s,
                strains=self.strains,
                progress=progress,
            )


async def _here(given: Given, sandbox: str | None, wanted: _Wanted) -> WarmReport:
    from weedhounds.cli.nodes import started_node

    async with started_node(given, sandbox) as node:
        return await wanted.of(node)


async def _at(url: str, given: Given, wanted: _Wanted) -> WarmReport:
    given.load()  # a broken settings file is said, whoever is asked
    return await wanted.of(_Remote(url))


class _Remote:
    """A running node, asked over HTTP."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def hunt(
        self,
        query: str = "",
        *,
        near: str,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        progress: Progress | None = None,
    ) -> HuntAnswer:
        """Ask the node; how far it has got is not told."""
        from weedhounds.cli.remote import RemoteHunt, ask_node

        hunt = RemoteHunt(query=query, near=near, radius_km=radius_km, deadline_s=deadline_s, limit=None)
        return await ask_node(self._url, hunt)


def report_text(report: WarmReport) -> str:
    """Return what came of it, for a person."""
    from weedhounds.cli.hunt_table import missing_lines
    from weedhounds.cli.text import counted, one_line

    lines = [
        f"{counted(report.shops, 'shop')} near {one_line(report.place.name)}: "
        f"{counted(report.records, 'record')} held, {counted(report.strains, 'strain')}",
        f"{counted(report.loaded, 'record')} fetched with {counted(report.origin_calls, 'origin call')} "
        f"in {counted(report.rounds, 'round')}, {report.elapsed_s:.1f} s",
        *missing_lines(report.missing),
    ]
    return "".join(f"{line}\n" for line in lines)
