"""A city's week from beginning to end: what is asked for, served, compared and told."""

from __future__ import annotations

import msgspec

from weedhounds.sim.bounds import Clairvoyant
from weedhounds.sim.week_chart import week_chart
from weedhounds.sim.week_city import CityWeek, counted_from, draw_city
from weedhounds.sim.week_lists import Groups, apart, menus_with_prices, with_price_lists
from weedhounds.sim.week_node import NodeOptions, NodeOutcome, Progress, node_week
from weedhounds.sim.week_replay import Timeline
from weedhounds.sim.week_report import WeekReport, week_report
from weedhounds.sim.week_rivals import (
    Rival,
    bound_of,
    fixed_rival,
    lm_factor_rival,
    no_cache_rival,
    oracle_rival,
)
from weedhounds.sim.worlds import World


class WeekSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a city's week is simulated.

    Args:
        price: of a call, in stale serves.
        is_bounded: keep lifetimes within their types' limits, as a node does; fixed table and LM-factor too.
        has_price_lists: a shop's prices are one record, which the menu's call fills too; else each product's
            price is a record of its own, and each record takes a call.
        has_oracle: solve for the oracle, which takes longest.
        has_sql, memory_bytes, revalidate_frac: as in :class:`NodeOptions`.
    """

    price: float = 1.0
    is_bounded: bool = False
    has_price_lists: bool = True
    has_oracle: bool = True
    has_sql: bool = True
    memory_bytes: int = 128 * 2**20
    revalidate_frac: float | None = None


class Week:
    """One run: drawn when it is made, then :meth:`serve`, then :meth:`compare`.

    Bounds: about 250 bytes a request.
    """

    def __init__(self, city: CityWeek, settings: WeekSettings) -> None:
        self.city = city
        self.settings = settings
        drawn = draw_city(city)
        self.world: World = with_price_lists(drawn) if settings.has_price_lists else drawn
        trace = self.world.trace
        self.groups: Groups = menus_with_prices(trace) if settings.has_price_lists else apart(trace)
        self.since = counted_from(self.world, city)
        self.options = NodeOptions(
            zone=city.zone,
            since=self.since,
            price=settings.price,
            is_bounded=settings.is_bounded,
            memory_bytes=settings.memory_bytes,
            has_sql=settings.has_sql,
            revalidate_frac=settings.revalidate_frac,
            seed=city.seed,
        )

    async def serve(self, progress: Progress | None = None) -> NodeOutcome:
        """Have the node serve every request."""
        return await node_week(self.world.trace, self.groups, self.options, progress=progress)

    def compare(self, outcome: NodeOutcome, progress: Progress | None = None) -> Compared:
        """Work out what the others come to, and the report."""
        settings, trace = self.settings, self.world.trace
        timeline = Timeline(trace, self.groups, self.since)
        rivals = [
            fixed_rival(timeline, is_bounded=settings.is_bounded),
            lm_factor_rival(timeline, settings.price, is_bounded=settings.is_bounded, progress=progress),
            no_cache_rival(timeline),
        ]
        if settings.has_oracle:
            rivals.append(oracle_rival(self.world, timeline, settings.price, progress=progress))
        bound = bound_of(self.world, timeline)
        report = week_report(
            self.city,
            trace,
            outcome,
            rivals,
            bound,
            options=self.options,
            has_price_lists=settings.has_price_lists,
        )
        return Compared(report, outcome, rivals, bound)


class Compared(msgspec.Struct, frozen=True):
    """A report with what it was made of."""

    report: WeekReport
    outcome: NodeOutcome
    rivals: list[Rival]
    bound: Clairvoyant

    def chart(self) -> str:
        """Return the chart as SVG."""
        return week_chart(self.report, self.outcome, self.rivals, self.bound)
