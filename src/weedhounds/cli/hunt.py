"""``weedhounds hunt``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from weedhounds.cli.options import ConfigFile, DataDir, DeadlineS, Json, LogFormat, LogLevel, Offline, SandboxAt
from weedhounds.cli.output import Sink, to_json
from weedhounds.cli.settings import Given
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.query.answer import HuntAnswer

EXAMPLE = 'Example: weedhounds hunt "Blue Dream" --near "Denver, CO" --radius-km 40'
ROWS = 20
"""Rows of the table unless ``--limit`` says otherwise."""

Format = Literal["table", "json", "csv", "parquet"]


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A hunt as the command line asks it."""

    query: str
    near: str
    radius_km: float | None
    deadline_s: float | None
    offline: bool
    limit: int | None


def hunt(
    query: Annotated[
        str, typer.Argument(metavar="[QUERY]", help="Strain, product, brand, category or terpene; none for everything.")
    ] = "",
    *,
    near: Annotated[
        str, typer.Option("--near", metavar="PLACE", help='A city ("Denver, CO"), a ZIP code or "lat,lon".')
    ],
    radius_km: Annotated[float | None, typer.Option("--radius-km", metavar="KM", help="Radius, 0 to 500 (25).")] = None,
    deadline_s: DeadlineS = None,
    sandbox: SandboxAt = None,
    node: Annotated[str | None, typer.Option("--node", metavar="URL", help="Ask the node that runs there.")] = None,
    offline: Offline = False,
    data_dir: DataDir = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="table (20 rows unless --limit), or every offer in the others.")
    ] = None,
    as_json: Json = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout (-).")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Most offers to print.")] = None,
    config: ConfigFile = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Find every offer near a place, from every origin, with the source and age of each fact."""
    if sum((sandbox is not None, node is not None, offline)) > 1:
        raise BadInput("give one of --sandbox, --node and --offline")
    chosen = _format(format_, as_json=as_json)
    sink = Sink(None if output == Path("-") else output)
    if chosen == "parquet" and sink.is_terminal:
        raise BadInput("parquet is no text: give --output FILE or redirect stdout")
    asking = Asking(
        query=query, near=near, radius_km=radius_km, deadline_s=deadline_s, offline=offline, limit=limit
    )  # fmt: skip
    given = Given(config, data_dir=data_dir, log={"level": log_level, "format": log_format})
    answer = _ask(asking, given, sandbox=sandbox, node=node, is_table=chosen == "table")
    sink.write(_rendered(answer, chosen, limit=limit, is_terminal=sink.is_terminal))
    if _has_failed(answer, given):
        raise typer.Exit(1)


def _format(chosen: Format | None, *, as_json: bool) -> Format:
    if as_json and chosen not in (None, "json"):
        raise BadInput(f"--json and --format {chosen} exclude each other")
    return "json" if as_json else chosen or "table"


def _ask(asking: Asking, given: Given, *, sandbox: str | None, node: str | None, is_table: bool) -> HuntAnswer:
    from weedhounds.cli.loop import run_async

    limit = None if is_table else asking.limit  # the lines below the table count every offer
    asking = msgspec.structs.replace(asking, limit=limit)
    return run_async(_of_node(asking, node, given) if node is not None else _here(asking, given, sandbox))


async def _of_node(asking: Asking, url: str, given: Given) -> HuntAnswer:
    from weedhounds.cli.progress import progress_bar
    from weedhounds.cli.remote import RemoteHunt, ask_node

    given.load()  # a broken settings file is said, whoever is asked
    hunt = RemoteHunt(
        query=asking.query,
        near=asking.near,
        radius_km=asking.radius_km,
        deadline_s=asking.deadline_s,
        limit=asking.limit,
    )
    with progress_bar("hunting"):
        return await ask_node(url, hunt)


async def _here(asking: Asking, given: Given, sandbox: str | None) -> HuntAnswer:
    from weedhounds.cli.nodes import started_node
    from weedhounds.cli.progress import progress_bar

    async with started_node(given, sandbox) as node:
        with progress_bar("hunting") as progress:
            return await node.hunt(
                asking.query,
                near=asking.near,
                radius_km=asking.radius_km,
                deadline_s=asking.deadline_s,
                limit=asking.limit,
                offline=asking.offline,
                progress=progress,
            )


def _rendered(answer: HuntAnswer, chosen: Format, *, limit: int | None, is_terminal: bool) -> bytes:
    if chosen == "json":
        return to_json(answer)
    if chosen == "table":
        from weedhounds.cli.hunt_table import hunt_text
        from weedhounds.cli.tables import terminal_width

        return hunt_text(answer, rows=limit or ROWS, width=terminal_width(is_terminal)).encode("utf-8", "replace")
    from weedhounds.cli import flat

    return flat.csv_bytes(answer.offers) if chosen == "csv" else flat.parquet_bytes(answer.offers)


def _has_failed(answer: HuntAnswer, given: Given) -> bool:
    """Tell whether nothing could be read: no record, and every origin that has menus is missing."""
    if answer.offers or answer.meta.records:
        return False
    from weedhounds import sources
    from weedhounds.model.datatypes import DataType

    changed = given.load().origins
    asked = {
        origin
        for origin in sources.ORIGINS
        if DataType.DISPENSARY_MENU in sources.source_class(origin).info().data_types
        and not (origin in changed and changed[origin].enabled is False)
    }
    return bool(answer.missing) and asked <= {missing.origin for missing in answer.missing}
