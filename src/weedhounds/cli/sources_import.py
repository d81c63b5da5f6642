"""``weedhounds sources import``: recorded answers into the cache, without a network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import ConfigFile, Currency, DataDir, Json, KindName, LogFormat, LogLevel
from weedhounds.cli.settings import Given
from weedhounds.cli.sources_parse import check_currency
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.bulk import ImportOptions, ImportReport

EXAMPLE = "Example: weedhounds sources import weedmaps menus/*.json.gz --shops shops.csv"
_LINES = 20
"""Most skipped items, failed files and unplaced shops that are listed without ``--json``."""


def import_files(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="The origin's id, as in sources list.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recorded answers, .gz too.")],
    *,
    shops: Annotated[
        Path | None,
        typer.Option("--shops", metavar="CSV", help="Table of shops, for answers that give only their shop's id."),
    ] = None,
    observed_at: Annotated[
        str | None,
        typer.Option("--observed-at", metavar="TIME", help="When the answers were given, ISO 8601; else as they say."),
    ] = None,
    kind: KindName = None,
    currency: Currency = "USD",
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Put recorded answers of an origin into the cache, for hunt --offline. Again changes nothing.

    Fails where every file fails.
    """
    from weedhounds.bulk import ImportOptions
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.sources.base import Kind
    from weedhounds.sources.shops_csv import read_shops

    check_currency(currency)
    options = ImportOptions(
        kind=Kind(kind) if kind else None,
        currency=currency,
        observed_at=None if observed_at is None else unix_time(observed_at),
        shops=None if shops is None else read_shops(shops),
    )
    given = Given(config, data_dir=data_dir, log={"level": log_level, "format": log_format})
    report = run_async(_import(origin, files, options, given))
    Sink().write(to_json(report) if as_json else _text(report).encode("utf-8", "replace"))
    if not report.files:
        raise typer.Exit(1)


def unix_time(text: str) -> float:
    """Return the Unix time of an ISO 8601 date or time; one without a zone is UTC.

    Raises:
        BadInput: not such a time, or not between 1970 and 2200.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--observed-at takes an ISO 8601 time as 2024-05-01T12:00:00Z, not {text!r}") from None
    if not 1970 <= at.year <= 2200:
        raise BadInput(f"--observed-at: the year must be 1970 to 2200, not {at.year}")
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


async def _import(origin: str, files: list[Path], options: ImportOptions, given: Given) -> ImportReport:
    from weedhounds.cli.nodes import started_node
    from weedhounds.cli.progress import progress_bar

    async with started_node(given) as node:
        with progress_bar(f"importing into {node.settings.data_dir}") as progress:
            return await node.import_files(origin, files, options, progress=progress)


def _text(report: ImportReport) -> str:
    from weedhounds.cli.text import counted, one_line

    read = ", ".join(
        (counted(report.files, "file"), counted(report.records, "record"), counted(report.offers, "offer"))
    )
    stored = f"{counted(report.entries, 'entry', 'entries')} stored, {report.unchanged:,} unchanged"
    lines = [f"{read} of {counted(report.shops, 'shop')}: {stored}"]
    lines += _some("failed", [f"{item.where}: {item.why}" for item in report.failed], len(report.failed))
    lines += _some("skipped", [f"{item.where}: {item.why}" for item in report.skipped], report.skipped_total)
    lines += _some("not placed", report.not_placed, len(report.not_placed))
    return "".join(f"{one_line(line)}\n" for line in lines)


def _some(what: str, items: list[str], total: int) -> list[str]:
    shown = items[:_LINES]
    left = total - len(shown)
    return [f"{what}: {item}" for item in shown] + ([f"{what}: and {left:,} more"] if left > 0 else [])
