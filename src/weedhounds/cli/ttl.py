"""``weedhounds ttl replay`` and ``ttl worlds``: judge lifetimes on a trace, make traces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import Json
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.sim.judge import Family
    from weedhounds.sim.references import Reference

REPLAY_EXAMPLE = (
    "Example: weedhounds ttl replay --changes changes.csv.gz --requests requests.csv.gz --items items.csv "
    "--chart chart.svg"
)
WORLDS_EXAMPLE = "Example: weedhounds ttl worlds --out world7 --seed 7 --kind drift"


def replay(
    *,
    changes: Annotated[Path, typer.Option("--changes", metavar="C", help="CSV of changes: key,t; .gz too.")],
    requests: Annotated[Path, typer.Option("--requests", metavar="R", help="CSV of requests: key,t; .gz too.")],
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="I", help="CSV of keys: key,dtype,source,tz[,weight]; else from their names."),
    ] = None,
    outages: Annotated[
        Path | None, typer.Option("--outages", metavar="O", help="CSV of failing sources: source,since,until.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="J", help="The oracle's costs; default: reference.json beside C."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="FILE.py:FACTORY", help="Judge this one alone; may be given again."),
    ] = None,
    bounded: Annotated[bool, typer.Option("--bounded", help="Keep lifetimes within their types' limits.")] = False,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="OUT.svg", help="Draw calls against stale serves there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge lifetimes on a trace: every strategy and baseline beside oracle, fixed table and clairvoyant."""
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.cli.progress import progress_bar
    from weedhounds.cli.tables import terminal_width
    from weedhounds.cli.ttl_tables import report_text
    from weedhounds.sim.chart import chart as drawn
    from weedhounds.sim.replay import ReplayOptions
    from weedhounds.sim.report import judge_all
    from weedhounds.sim.trace import read_trace

    sheet = Sink(chart) if chart is not None else None
    families = _families(policy)
    trace = read_trace(changes, requests, items, outages=outages)
    known = _reference(reference, changes)
    with progress_bar("judging") as progress:
        options = ReplayOptions(is_bounded=bounded)
        report = judge_all(trace, families, reference=known, options=options, progress=progress)
    if sheet is not None:
        sheet.write(drawn(report).encode())
    sink = Sink()
    text = "" if as_json else report_text(report, terminal_width(sink.is_terminal))
    sink.write(to_json(report) if as_json else text.encode("utf-8", "replace"))


def _families(policy: list[str] | None) -> list[Family]:
    from weedhounds.sim.contestants import all_families
    from weedhounds.sim.policy_file import load_family

    return [load_family(named) for named in policy] if policy else all_families()


def _reference(path: Path | None, changes: Path) -> Reference | None:
    """Return the references named, or those that lie beside the trace."""
    from weedhounds.sim.references import FILE_NAME, read_reference

    beside = changes.with_name(FILE_NAME)
    if path is None and not beside.is_file():
        return None
    return read_reference(path or beside)


def worlds(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if need be.")],
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed gives the same world (1).")] = 1,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="standard, or another kind (see the page on judging).")
    ] = "standard",
    no_oracle: Annotated[
        bool, typer.Option("--no-oracle", help="Leave out the oracle's costs, which take ten seconds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the trace of a simulated world, with the costs of its oracle, for ttl replay."""
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.sim.specs import spec_of
    from weedhounds.sim.world_files import write_world
    from weedhounds.sim.worlds import draw_world

    if out.exists() and not out.is_dir():
        raise BadInput(f"{out} is no folder")
    world = draw_world(spec_of(kind), seed)
    paths = [str(path) for path in write_world(world, out, has_oracle=not no_oracle)]
    if as_json:
        Sink().write(to_json({"kind": kind, "seed": seed, "files": paths}))
    else:
        Sink().write("".join(f"{path}\n" for path in paths).encode("utf-8", "replace"))
