"""A city's week as a report: the node beside its rivals, what each tier served, what each data type cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from weedhounds.model.datatypes import DataType
from weedhounds.sim.bounds import Clairvoyant
from weedhounds.sim.calibration import Calibration
from weedhounds.sim.replay import Tally
from weedhounds.sim.trace import Trace
from weedhounds.sim.week_city import CityWeek
from weedhounds.sim.week_lists import key_count
from weedhounds.sim.week_node import NodeOptions, NodeOutcome
from weedhounds.sim.week_rivals import ORACLE, Rival

NODE, CLAIRVOYANT = "the node", "clairvoyant, as stale"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the comparison.

    Args:
        calls_share, stale_share: of the requests.
        j: (price x calls + stale serves) / requests; ``over_oracle``: J / the oracle's, where that is known.
        mean_staleness_s: over all requests, a fresh serve counts as 0; ``None`` where it was not counted.
        dial: the multiplier found best in hindsight, for a rule that has one.
    """

    name: str
    calls: int
    calls_share: float
    stale: int
    stale_share: float
    j: float
    over_oracle: float | None
    hit_ratio: float
    mean_staleness_s: float | None
    dial: float | None = None


class TypeRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one data type cost the node; the oracle's J on the same requests where that is known."""

    data_type: DataType
    keys: int
    requests: int
    calls: int
    stale: int
    j: float
    oracle_j: float | None


class TierRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one tier was asked for and served.

    Args:
        asked: requests that came as far as this tier. ``hit_ratio``: ``served`` / ``asked``.
        entries, bytes: held at the end; ``None`` for the origin.
    """

    tier: str
    asked: int
    served: int
    hit_ratio: float
    entries: int | None
    bytes: int | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How true the stale probabilities were that the node told, on a sample of its answers."""

    serves: int
    error: float
    brier: float
    base_brier: float


class WeekReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report.

    Args:
        requests: judged. ``changes``: in all the weeks.
        price: of a call, in stale serves.
        is_bounded: the node kept lifetimes within their types' limits.
        has_price_lists: a shop's prices are one record, which the menu's call fills too.
        revalidated: requests served an expired entry while it was fetched anew.
    """

    city: CityWeek
    keys: dict[str, int]
    requests: int
    changes: int
    price: float
    is_bounded: bool
    has_price_lists: bool
    rows: tuple[Row, ...]
    tiers: tuple[TierRow, ...]
    by_type: tuple[TypeRow, ...]
    revalidated: int
    calibration: Told

    def row(self, name: str) -> Row:
        """Return a line of the comparison by its name."""
        return next(row for row in self.rows if row.name == name)


def week_report(
    city: CityWeek,
    trace: Trace,
    outcome: NodeOutcome,
    rivals: Sequence[Rival],
    bound: Clairvoyant,
    *,
    options: NodeOptions,
    has_price_lists: bool,
) -> WeekReport:
    """Return the report of a node's week beside its rivals."""
    oracle = next((rival for rival in rivals if rival.name == ORACLE), None)
    total, price = outcome.total, options.price
    return WeekReport(
        city=city,
        keys=key_count(trace),
        requests=total.requests,
        changes=sum(map(len, trace.changes)),
        price=price,
        is_bounded=options.is_bounded,
        has_price_lists=has_price_lists,
        rows=_rows(total, rivals, bound, price),
        tiers=_tier_rows(outcome),
        by_type=_type_rows(trace, outcome, oracle, price),
        revalidated=outcome.revalidated,
        calibration=_told(outcome.calibration),
    )


def _rows(total: Tally, rivals: Sequence[Rival], bound: Clairvoyant, price: float) -> tuple[Row, ...]:
    """Return the node's line, its rivals', and the fewest calls that leave as many stale serves as the node's."""
    best = next((rival.total.cost(price) for rival in rivals if rival.name == ORACLE), None)
    fewest = Tally(
        requests=total.requests, calls=bound.calls_at(total.stale), stale=total.stale, stale_weight=total.stale_weight
    )
    return (
        _row(NODE, total, price, best),
        *(_row(rival.name, rival.total, price, best, dial=rival.dial) for rival in rivals),
        msgspec.structs.replace(_row(CLAIRVOYANT, fewest, price, best), mean_staleness_s=None),
    )


def _told(found: Calibration) -> Told:
    return Told(serves=found.serves, error=found.error, brier=found.brier, base_brier=found.base_brier)


def _row(name: str, total: Tally, price: float, best: float | None, *, dial: float | None = None) -> Row:
    j = total.cost(price)
    return Row(
        name=name,
        calls=total.calls,
        calls_share=total.calls / max(1, total.requests),
        stale=total.stale,
        stale_share=total.stale_fraction,
        j=j,
        over_oracle=j / best if best else None,
        hit_ratio=total.hit_ratio,
        mean_staleness_s=total.mean_staleness_s,
        dial=dial,
    )


def _tier_rows(outcome: NodeOutcome) -> tuple[TierRow, ...]:
    """Return the tiers in the order in which they are asked, the origin last."""
    rows = []
    left = sum(outcome.served.values())
    for name in (*outcome.tiers, "origin"):
        served, held = outcome.served.get(name, 0), outcome.tiers.get(name)
        rows.append(
            TierRow(
                tier=name,
                asked=left,
                served=served,
                hit_ratio=served / max(1, left),
                entries=held.entries if held is not None else None,
                bytes=held.bytes if held is not None else None,
            )
        )
        left -= served
    return tuple(rows)


def _type_rows(trace: Trace, outcome: NodeOutcome, oracle: Rival | None, price: float) -> tuple[TypeRow, ...]:
    keys = key_count(trace)
    known: Mapping[DataType, Tally] = oracle.by_type if oracle is not None else {}
    rows = [
        TypeRow(
            data_type=data_type,
            keys=keys[data_type.value],
            requests=tally.requests,
            calls=tally.calls,
            stale=tally.stale,
            j=tally.cost(price),
            oracle_j=known[data_type].cost(price) if data_type in known else None,
        )
        for data_type, tally in outcome.by_type.items()
    ]
    return tuple(sorted(rows, key=lambda row: -row.j * row.requests))
