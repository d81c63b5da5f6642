"""What recorded answers tell of how often real menus change, and what they cannot tell."""

from __future__ import annotations

import csv
import gzip
import json
import math
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from harness import ROOT, Options, run_bench
from report import Result, Table, number, quantile, told

from weedhounds.model.datatypes import DataType
from weedhounds.sim.specs import STANDARD

DATA = ROOT.parent / "shared" / "data"
DAY_S = 86_400.0
_SAME_MOMENT_S = 60.0
"""Updates this near to each other are one change of the menu: a synchronisation writes item by item."""
_NEW_MEXICO_S = -6 * 3600.0


class Stamped(NamedTuple):
    """One item: when it was made, when it was last updated; Unix seconds."""

    created: float
    updated: float


def bench(options: Options) -> Result:
    """Read the recorded files; the same at every speed."""
    if not DATA.is_dir():
        raise FileNotFoundError(f"the recorded answers are not there: {DATA}")
    shops = list(weedmaps_shops())
    looked = max(item.updated for items in shops for item in items)
    rates = [rate for items in shops if (rate := item_rate(items, looked)) > 0.0]
    busy = [float(changes_within(items, looked, DAY_S)) for items in shops]
    hours = hours_of_day(item for items in shops for item in items)
    pairs = list(snapshot_pairs())
    return Result(
        title="How often real records change",
        command="benchmarks/bench_change_rates.py",
        figures=[
            told("Weedmaps 2024: updates a day and item, all shops together", item_rate(_all(shops), looked)),
            told("the same, median shop", quantile(rates, 0.5), spread=_tenths(rates)),
            told("sigma of the shops' log rates", statistics.stdev(map(math.log, rates))),
            told(
                "changes a day of a menu's first page, median shop, at least", quantile(busy, 0.5), spread=_tenths(busy)
            ),
            told("the same, mean of the shops, at least", statistics.fmean(busy)),
            told("correlation of the hours of update with the standard world's menu profile", _agreement(hours)),
            told("Dispense 2025: most last updates within one hour of the day", busiest_hour_share(dispense_items())),
            told("Alberta 2021: prices seen twice", len(pairs)),
            told("of these changed", sum(pair.is_changed for pair in pairs)),
            told("changes a day of a price, bias-reduced", snapshot_rate(pairs)),
        ],
        tables=[_ages_table(shops, looked), _hours_table(hours), _weekdays_table(_all(shops)), _registers_table()],
        notes=[
            "An item's last update hides those before it: a rate from its age is right only for Poisson updates.",
            "An update may be a synchronisation that changed nothing a reader sees: rates of items are upper bounds.",
            "Of each item only the last update is seen: counts of a menu's changes are lower bounds.",
            f"When the Weedmaps pages were fetched is not recorded: the latest update of all, {_day(looked)}, is taken.",
            "Of licences seen twice, years apart, many changes look like one; those that ended are not among them.",
            "The price index has one date: it tells nothing of change.",
        ],
        samples={"weedmaps_item_rates_per_day": rates, "weedmaps_menu_changes_per_day": busy},
    )


def item_rate(items: Sequence[Stamped], looked: float) -> float:
    """Return updates a day and item: the last update looked back to, censored where an item was never updated."""
    age_s = sum(looked - item.updated for item in items)
    return DAY_S * sum(_is_updated(item) for item in items) / age_s if age_s > 0.0 else 0.0


def changes_within(items: Iterable[Stamped], looked: float, seconds: float) -> int:
    """Return how many moments of the last ``seconds`` have an item's last update."""
    late = sorted(item.updated for item in items if looked - item.updated <= seconds)
    return bool(late) + sum(later - earlier > _SAME_MOMENT_S for earlier, later in pairwise(late))


def hours_of_day(items: Iterable[Stamped]) -> list[float]:
    """Return the share of the last updates in each hour of the local day, times 24."""
    counts = [0.0] * 24
    for item in items:
        if _is_updated(item):
            counts[int((item.updated + _NEW_MEXICO_S) % DAY_S // 3600)] += 1
    return [24.0 * count / sum(counts) for count in counts]


def busiest_hour_share(items: Sequence[Stamped]) -> float:
    """Return the greatest share of the last updates that fell into one clock hour."""
    counts = Counter(item.updated // 3600 for item in items)
    return max(counts.values()) / len(items)


class SeenTwice(NamedTuple):
    """A price in two snapshots of a store."""

    days: float
    is_changed: bool


def snapshot_pairs() -> Iterator[SeenTwice]:
    """Yield each product's price in each pair of snapshots that follow each other."""
    seen: dict[tuple[str, str, str], list[tuple[float, str]]] = {}
    with (DATA / "leafly" / "alberta-2021-04_menu_snapshots.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["snapshot_time_local"]).replace(tzinfo=UTC).timestamp()
            seen.setdefault((row["store"], row["Product ID"], row["Weight"]), []).append((at, row["Price"]))
    for prices in seen.values():
        for (earlier, before), (later, after) in pairwise(sorted(prices)):
            if later > earlier:
                yield SeenTwice((later - earlier) / DAY_S, before != after)


def snapshot_rate(pairs: Sequence[SeenTwice]) -> float:
    """Return changes a day at looks of about the mean interval (Cho and Garcia-Molina, 2003)."""
    changed = sum(pair.is_changed for pair in pairs)
    share = (len(pairs) - changed + 0.5) / (len(pairs) + 0.5)
    return -math.log(share) / statistics.fmean(pair.days for pair in pairs)


def _ages_table(shops: Sequence[Sequence[Stamped]], looked: float) -> Table:
    sources = [
        ("Weedmaps, 125 shops of New Mexico, 2024", _all(shops), looked),
        ("Weedmaps, one shop, 2014", *_timed(legacy_items())),
        ("Dispense, one shop, 2025", *_timed(dispense_items())),
        ("Joint, one shop, 2025", *_timed(joint_items())),
        ("Salve, one shop, 2026", *_timed(salve_items())),
    ]
    return Table(
        title="Age of the last update of an item, days",
        columns=("source", "items", "never updated", "tenth", "median", "nine tenths", "updates a day, at most"),
        rows=tuple(_ages_row(name, items, at) for name, items, at in sources),
    )


def _ages_row(name: str, items: Sequence[Stamped], looked: float) -> tuple[str, ...]:
    ages = [(looked - item.updated) / DAY_S for item in items]
    quantiles = (number(quantile(ages, share)) for share in (0.1, 0.5, 0.9))
    never = sum(not _is_updated(item) for item in items)
    return (name, f"{len(items):,}", f"{never:,}", *quantiles, number(item_rate(items, looked)))


def _hours_table(hours: Sequence[float]) -> Table:
    world = world_hours()
    rows = [(f"{h}-{h + 3}", number(_mean(hours, h)), number(_mean(world, h))) for h in range(0, 24, 3)]
    return Table(
        title="Last updates of menu items by hour of the day, New Mexico (UTC-6), the mean hour being 1",
        columns=("hours", "recorded", "standard world"),
        rows=tuple(rows),
    )


def _weekdays_table(items: Sequence[Stamped]) -> Table:
    days = Counter(datetime.fromtimestamp(i.updated + _NEW_MEXICO_S, UTC).weekday() for i in items if _is_updated(i))
    mean = sum(days.values()) / 7
    return Table(
        title="The same by weekday, the mean day being 1",
        columns=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        rows=(tuple(f"{days[day] / mean:.2f}" for day in range(7)),),
    )


class Register(NamedTuple):
    """A licence register at two times.

    Args:
        licences: the column of the licence's number in either file.
        fields: what is compared: its name, and its column in either file.
    """

    name: str
    earlier: str
    later: str
    licences: tuple[str, str]
    fields: tuple[tuple[str, str, str], ...]
    days: float


REGISTERS = (
    Register(
        "Washington",
        "cannlytics_wa_2023-04-24.csv.gz",
        "wa_lcb_retailers_2026-04.csv.gz",
        ("license_number", "License "),
        (
            ("name", "business_dba_name", "Tradename"),
            ("phone", "business_phone", "Day Phone"),
            ("city", "premise_city", "City"),
        ),
        1100.0,
    ),
    Register(
        "Colorado",
        "cannlytics_co_2023-04-24.csv.gz",
        "co_med_facilities_2026-04.csv.gz",
        ("license_number", "License_Number"),
        (("trade name", "business_dba_name", "DBA"), ("holder", "business_legal_name", "Facility_Name")),
        1096.0,
    ),
    Register(
        "Massachusetts",
        "cannlytics_ma_2023-04-24.csv.gz",
        "ma_ccc_hmwt-yiqy_2026-04.csv.gz",
        ("license_number", "LICENSE_NUMBER"),
        (("holder", "business_name", "BUSINESS_NAME"),),
        1100.0,
    ),
)


def _registers_table() -> Table:
    return Table(
        title="Facts of one licence, 2023 and 2026",
        columns=("register", "fact", "seen twice", "differ", "days to a change"),
        rows=tuple(row for register in REGISTERS for row in _register_rows(register)),
    )


def _register_rows(register: Register) -> Iterator[tuple[str, ...]]:
    before, after = register.licences
    later = {_plain(row[after]): row for row in _rows(register.later)}
    pairs = [(row, later[_plain(row[before])]) for row in _rows(register.earlier) if _plain(row[before]) in later]
    for fact, earlier_column, later_column in register.fields:
        texts = [(_plain(x[earlier_column]), _plain(y[later_column])) for x, y in pairs]
        known = [SeenTwice(register.days, x != y) for x, y in texts if x and y]
        differ = sum(pair.is_changed for pair in known)
        yield register.name, fact, f"{len(known):,}", f"{differ:,}", number(1.0 / snapshot_rate(known))


def _rows(name: str) -> list[dict[str, str]]:
    text = gzip.decompress((DATA / "licences" / name).read_bytes()).decode("utf-8", "replace")
    return list(csv.DictReader(text.splitlines()))


def _plain(text: str | None) -> str:
    return "".join(c for c in (text or "").lower() if c.isalnum())


def _mean(hours: Sequence[float], first: int) -> float:
    return statistics.fmean(hours[first : first + 3])


def world_hours() -> list[float]:
    """Return the standard world's menu changes by hour of the day, the mean hour being 1."""
    table = STANDARD.profiles[DataType.DISPENSARY_MENU].table()
    each = len(table) // 7 // 24
    return [
        sum(sum(table[(24 * d + h) * each : (24 * d + h + 1) * each]) for d in range(7)) / 7 / each for h in range(24)
    ]


def _agreement(hours: Sequence[float]) -> float:
    return statistics.correlation(hours, world_hours())


def weedmaps_shops() -> Iterator[list[Stamped]]:
    """Yield the items of each menu's first page."""
    for path in sorted((DATA / "weedmaps").glob("menu_*")):
        items = [item["attributes"] for item in _read(path)["data"]]
        if stamped := [_stamped(item, "created_at", "updated_at") for item in items]:
            yield stamped


def legacy_items() -> list[Stamped]:
    """Return the items of the menu of 2014."""
    return _items(_read(DATA / "weedmaps" / "legacy-2014_menu_items_dispensary-28795.json"), "created_at", "updated_at")


def dispense_items() -> list[Stamped]:
    """Return the products of the Dispense shop."""
    return _items(_read(DATA / "dispense" / "indigo_products_2025-06-30.json.gz"), "created", "modified")


def joint_items() -> list[Stamped]:
    """Return the variants of the Joint shop."""
    products = _read(DATA / "joint" / "cuzzies_products_2025-06-30.json.gz")
    return _items((variant for product in products for variant in product["variants"]), "createdAt", "updatedAt")


def salve_items() -> list[Stamped]:
    """Return the products of the Salve shop."""
    file = DATA / "salve" / "flowery-fl-west-palm-beach_products_2026-01-20.json.gz"
    return _items(_read(file)["products"], "created_at", "updated_at")


def _read(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def _items(items: Iterable[dict[str, str]], created: str, updated: str) -> list[Stamped]:
    return [_stamped(item, created, updated) for item in items]


def _stamped(item: dict[str, str], created: str, updated: str) -> Stamped:
    return Stamped(_unix(item[created]), _unix(item[updated]))


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _timed(items: list[Stamped]) -> tuple[list[Stamped], float]:
    return items, max(item.updated for item in items)


def _all(shops: Iterable[Sequence[Stamped]]) -> list[Stamped]:
    return [item for items in shops for item in items]


def _is_updated(item: Stamped) -> bool:
    return item.updated - item.created > 1.0


def _tenths(values: Sequence[float]) -> str:
    return f"a tenth below {number(quantile(values, 0.1))}, a tenth above {number(quantile(values, 0.9))}"


def _day(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).strftime("%d %B %Y")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_bench(bench, argv)


if __name__ == "__main__":
    sys.exit(main())
