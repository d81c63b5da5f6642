"""``weedhounds sim week``: a city's week on a clock that is told the time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import Json
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.sim.week import WeekSettings
    from weedhounds.sim.week_city import CityWeek

WEEK_EXAMPLE = 'Example: weedhounds sim week --city "Denver, CO" --requests-per-day 20000 --seed 1 --chart week.svg'
MOST_PRICE = 1e6
LEAST_MB, MOST_MB = 1.0, 1e6
MOST_FRAC = 10.0


def week(
    *,
    city: Annotated[str, typer.Option("--city", metavar="PLACE", help='A city ("Denver, CO"), ZIP code or "lat,lon".')],
    shops: Annotated[int, typer.Option("--shops", metavar="N", help="Shops of the city (120).")] = 120,
    requests_per_day: Annotated[
        float, typer.Option("--requests-per-day", metavar="N", help="Keys asked of the read path, on average (20000).")
    ] = 20_000.0,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed gives the same week (1).")] = 1,
    weeks: Annotated[int, typer.Option("--weeks", metavar="N", help="Weeks that count (1).")] = 1,
    warmup_weeks: Annotated[
        int, typer.Option("--warmup-weeks", metavar="N", help="Weeks before them, in which the node learns (1).")
    ] = 1,
    price: Annotated[
        float, typer.Option("--price", metavar="K", help="How many stale answers a call is worth (1).")
    ] = 1.0,
    single_prices: Annotated[
        bool,
        typer.Option(
            "--single-prices",
            help="Each product's price is a record with a call of its own; else a shop's are one, which the menu's call fills too.",
        ),
    ] = False,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="Keep lifetimes within their types' limits, as a node does.")
    ] = False,
    revalidate: Annotated[
        float | None,
        typer.Option(
            "--revalidate",
            metavar="FRAC",
            help="Serve what expired this share of its lifetime ago while it is fetched anew; default: as a node does.",
        ),
    ] = None,
    memory_mb: Annotated[
        float, typer.Option("--memory-mb", metavar="MB", help="Budget of the memory tier, MiB (128).")
    ] = 128.0,
    no_sql: Annotated[bool, typer.Option("--no-sql", help="Have no second tier, a temporary SQLite file.")] = False,
    no_oracle: Annotated[bool, typer.Option("--no-oracle", help="Leave out the oracle, which takes longest.")] = False,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="OUT.svg", help="Draw calls against stale serves there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate a city's week: the node's calls and stale answers beside fixed table, LM-factor, oracle and bound."""
    from weedhounds.query.places import Gazetteer
    from weedhounds.sim.week import WeekSettings
    from weedhounds.sim.week_city import city_week

    place = Gazetteer.load().resolve(city)
    chosen = city_week(
        place, shops=shops, requests_per_day=requests_per_day, seed=seed, weeks=weeks, warmup_weeks=warmup_weeks
    )
    settings = WeekSettings(
        price=_price(price),
        is_bounded=bounded,
        has_price_lists=not single_prices,
        has_oracle=not no_oracle,
        has_sql=not no_sql,
        memory_bytes=_memory_bytes(memory_mb),
        revalidate_frac=_revalidate_frac(revalidate),
    )
    _simulate(chosen, settings, chart, as_json=as_json)


def _simulate(city: CityWeek, settings: WeekSettings, chart: Path | None, *, as_json: bool) -> None:
    """Run the week, write the chart and print the report."""
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.cli.progress import progress_bar
    from weedhounds.cli.sim_tables import week_text
    from weedhounds.cli.tables import terminal_width
    from weedhounds.sim.week import Week

    sheet = Sink(chart) if chart is not None else None
    run = Week(city, settings)
    with progress_bar("serving") as progress:
        outcome = run_async(run.serve(progress))
    with progress_bar("comparing") as progress:
        compared = run.compare(outcome, progress)
    if sheet is not None:
        sheet.write(compared.chart().encode())
    sink = Sink()
    text = "" if as_json else week_text(compared.report, terminal_width(sink.is_terminal))
    sink.write(to_json(compared.report) if as_json else text.encode("utf-8", "replace"))


def _price(price: float) -> float:
    if not 0.0 < price <= MOST_PRICE:
        raise BadInput(f"a call is worth more than 0 and at most {MOST_PRICE:,.0f} stale answers, not {price:g}")
    return price


def _memory_bytes(memory_mb: float) -> int:
    if not LEAST_MB <= memory_mb <= MOST_MB:
        raise BadInput(f"the memory tier has {LEAST_MB:g} to {MOST_MB:,.0f} MiB, not {memory_mb:g}")
    return int(memory_mb * 2**20)


def _revalidate_frac(frac: float | None) -> float | None:
    if frac is not None and not 0.0 <= frac <= MOST_FRAC:
        raise BadInput(f"an entry is served for 0 to {MOST_FRAC:g} times its lifetime after it expired, not {frac:g}")
    return frac
