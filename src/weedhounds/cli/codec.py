"""``weedhounds codec bench``: formats and compressions compared on a user's records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import Currency, Json, KindName
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.codec import Encodable
    from weedhounds.codec.bench_report import BenchReport
    from weedhounds.codec.dictionary_store import FolderDictionaries
    from weedhounds.codec.samples import Origin

BENCH_EXAMPLE = "Example: weedhounds codec bench menu.json.gz --origin weedmaps"
OriginName = Annotated[
    str | None,
    typer.Option("--origin", metavar="ID", help="Whose recorded answers the files are; detected unless given."),
]


def bench(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Recorded answers, JSON of records, envelopes; .gz and folders too."),
    ] = None,
    *,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Measure the recorded answers in shared/data, here or beside.")
    ] = False,
    origin: OriginName = None,
    kind: KindName = None,
    currency: Currency = "USD",
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Use the dictionaries of this data folder.")
    ] = None,
    link_bytes_per_s: Annotated[
        float, typer.Option("--link-bytes-per-s", metavar="B", help="Speed of the link that wire is chosen for.")
    ] = 1_250_000.0,
    cpu_price: Annotated[
        float, typer.Option("--cpu-price", metavar="X", help="Seconds of waiting that a second of processor costs.")
    ] = 1.0,
    all_levels: Annotated[
        bool, typer.Option("--all-levels", help="Measure all levels worth it, not only the usual ones.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Measure briefly: about a second for each type.")] = False,
    as_json: Json = False,
) -> None:
    """Compare formats and compressions on records: bytes, speed with its spread, and the choice for each use."""
    from weedhounds.cli.codec_files import load_files, own_dictionaries, recorded_folder
    from weedhounds.cli.codec_tables import bench_text
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.cli.tables import terminal_width

    if bool(files) == recorded:
        raise BadInput("give files, or --recorded")
    if not cpu_price >= 0:
        raise BadInput(f"--cpu-price cannot be {cpu_price}")
    dictionaries = own_dictionaries(data_dir) if data_dir else None
    given = origin_given(origin, kind, currency)
    loaded = load_files(files or [recorded_folder()], given, dictionaries)
    report = _report(
        loaded.records, dictionaries, link=link_bytes_per_s, cpu=cpu_price, is_quick=quick, has_all_levels=all_levels
    )
    sink = Sink()
    if as_json:
        sink.write(to_json(report))
    else:
        sink.write(bench_text(report, terminal_width(sink.is_terminal)).encode("utf-8", "replace"))


def _report(
    records: list[Encodable],
    dictionaries: FolderDictionaries | None,
    *,
    link: float,
    cpu: float,
    is_quick: bool,
    has_all_levels: bool,
) -> BenchReport:
    from weedhounds.cli.progress import progress_bar
    from weedhounds.clock import SystemClock
    from weedhounds.codec.bench import QUICK, THOROUGH
    from weedhounds.codec.bench_report import BenchOptions, report
    from weedhounds.codec.dictionary_store import SHIPPED
    from weedhounds.codec.samples import to_measure

    options = BenchOptions(
        effort=QUICK if is_quick else THOROUGH,
        has_all_levels=has_all_levels,
        link_bytes_per_s=link,
        cpu_price=cpu,
    )
    sample = to_measure(records, most=1 if is_quick else 3)
    with progress_bar("measuring") as progress:
        return report(sample, options, clock=SystemClock(), dictionaries=dictionaries or SHIPPED, progress=progress)


def origin_given(name: str | None, kind: KindName, currency: str) -> Origin:
    """Return how recorded answers are to be read.

    Raises:
        BadInput: no such origin, or no currency.
    """
    from weedhounds import sources
    from weedhounds.cli.sources_parse import check_currency
    from weedhounds.codec.samples import Origin
    from weedhounds.sources.base import Kind

    check_currency(currency)
    if name is not None:
        sources.source_class(name)
    return Origin(name, Kind(kind) if kind else None, currency)
