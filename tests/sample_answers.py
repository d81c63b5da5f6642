"""Answers of a node for tests: small, invented, and the same for the same arguments."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from weedhounds.breaker import BreakerState
from weedhounds.cache.meter import RequestMeter, TierMeter
from weedhounds.cache.recorder import HistoryStats
from weedhounds.cache.rendered import Rendered
from weedhounds.cache.tier import TierStats
from weedhounds.clock import ManualClock
from weedhounds.config import Settings
from weedhounds.errors import BadInput
from weedhounds.learning import LearningStats, learning_of
from weedhounds.model.datatypes import DataType, Lifetime
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Provenance
from weedhounds.model.records import Category, LabResult, Menu, Price, PriceList, Product, Shop
from weedhounds.model.units import Amount, Money, Potency, Reading
from weedhounds.node import NodeStats
from weedhounds.query.answer import (
    ByTier,
    DispensariesAnswer,
    FoundOffer,
    HuntAnswer,
    Meta,
    Missing,
    NearbyShop,
    OfferShop,
    OfferSource,
    Place,
    RecordAnswer,
    StrainAnswer,
    UnitPrice,
)
from weedhounds.query.pricehistory import PriceHistory, PricePoint
from weedhounds.readthrough import ReadStats
from weedhounds.sources.fetch import OriginStats
from weedhounds.telemetry import Histogram
from weedhounds.ttl.decide import StrategyName
from weedhounds.ttl.learner import Insight
from weedhounds.warming import RefreshStats
from weedhounds.workers.pool import PoolStats

DENVER = Place(name="Denver, CO", lat=39.7392, lon=-104.9847)
FETCHED_AT = 1_750_000_000.0


def provenance(origin: str = "weedmaps", *, tier: str = "memory", age_s: float = 90.0) -> Provenance:
    """Return where a fact of shop 7 came from."""
    return Provenance(
        origin=origin,
        key=f"product_pricing:{origin}:7",
        fetched_at=FETCHED_AT,
        age_s=age_s,
        tier=tier,
        stale_probability=0.04,
    )


def usd(amount: str) -> Money:
    """Return a price."""
    return Money(Decimal(amount))


def offer(number: int = 1, **changed: object) -> FoundOffer:
    """Return one offer; ``number`` makes it another product."""
    made = FoundOffer(
        shop=OfferShop(
            key="dispensary_info:weedmaps:7",
            name="Green Lane",
            address="7 Sample St",
            lat=39.74,
            lon=-104.98,
            distance_km=1.234,
        ),
        product=f"Blue Dream {number}",
        product_id=f"p{number}",
        brand="Sample Farms",
        strain="Blue Dream",
        category=Category.FLOWER,
        market="rec",
        variant=Amount(3.5, "g"),
        variant_label="1/8 oz",
        price=usd("35.00"),
        list_price=usd("40.00"),
        unit_price=UnitPrice(per_g=usd("10.00")),
        potency={"thc": Potency(20.5, 24.0, "%")},
        terpenes=(Reading("myrcene", 0.61, "%"), Reading("limonene", None, "%", 0.05)),
        lab=None,
        promotions=("Happy hour", "BOGO"),
        in_stock=True,
        quantity=4.0,
        provenance=provenance(),
        sources=(OfferSource(provenance=provenance(), price=usd("35.00")),),
        fact_sources={"price": 0},
    )
    return msgspec.structs.replace(made, **changed)


def hunt_answer(
    offers: int = 3, *, missing: tuple[Missing, ...] = (), records: int = 2, next_cursor: str | None = None
) -> HuntAnswer:
    """Return a hunt's answer with that many offers."""
    return HuntAnswer(
        query="Blue Dream",
        place=DENVER,
        offers=tuple(offer(n) for n in range(offers)),
        strain=None,
        missing=missing,
        meta=Meta(
            elapsed_ms=12.5,
            origin_calls=0,
            offers_total=offers,
            by_tier=ByTier(memory=records),
            shops=1,
            records=records,
            next_cursor=next_cursor,
        ),
    )


def dispensaries_answer() -> DispensariesAnswer:
    """Return one shop near Denver."""
    shop = Shop(key="dispensary_info:weedmaps:7", origin="weedmaps", id="7", name="Green Lane", lat=39.74, lon=-104.98)
    return DispensariesAnswer(
        place=DENVER,
        dispensaries=(NearbyShop(shop=shop, distance_km=1.2, listings=("dispensary_info:weedmaps:7",)),),
        missing=(),
        meta=hunt_answer(0).meta,
    )


def menu_answer(key: str = "dispensary_menu:weedmaps:7", *, tier: str = "memory") -> RecordAnswer:
    """Return the record of a menu with one product."""
    product = Product(id="p1", name="Blue Dream", origin="weedmaps", brand="Sample Farms", category=Category.FLOWER)
    return RecordAnswer(
        key=key,
        record=Menu(origin="weedmaps", shop_id="7", products=(product,)),
        digest="0123456789abcdef0123456789abcdef01234567",
        expires_at=FETCHED_AT + 3600.0,
        is_stale=False,
        provenance=provenance(tier=tier),
    )


def prices_answer(key: str = "product_pricing:weedmaps:7") -> RecordAnswer:
    """Return the record of one price."""
    price = Price(
        product_id="p1",
        variant_label="1/8 oz",
        variant=Amount(3.5, "g"),
        market="rec",
        price=usd("35.00"),
        list_price=usd("40.00"),
    )
    record = PriceList(origin="weedmaps", shop_id="7", prices=(price,))
    return msgspec.structs.replace(menu_answer(key), record=record)


def strain_answer() -> StrainAnswer:
    """Return a strain with one laboratory result."""
    result = LabResult(
        id="BR-1", origin="socrata_ct", product="Blue Dream Flower", cannabinoids=(Reading("thca", 21.5, "%"),)
    )
    return StrainAnswer(
        slug="blue-dream",
        name="Blue Dream",
        strain_type="hybrid",
        terpenes=(Reading("myrcene", 0.61, "%"),),
        lab_results=(result,),
        provenance=(provenance("leafly"), provenance("socrata_ct")),
    )


def price_history_answer(key: str = "product_pricing:weedmaps:7") -> PriceHistory:
    """Return a price that rose once."""
    before = PricePoint(
        at=FETCHED_AT,
        product_id="p1",
        variant_label="1/8 oz",
        market="rec",
        price=usd("35.00"),
        list_price=usd("40.00"),
        in_stock=True,
        quantity=None,
    )
    after = msgspec.structs.replace(before, at=FETCHED_AT + 60, price=usd("38.00"))
    return PriceHistory(
        key=key, origin="weedmaps", attribution=None, since=FETCHED_AT + 1, opening=(before,), changes=(after,)
    )


def node_stats() -> NodeStats:
    """Return figures of a node that was asked for one menu twice, at one origin."""
    meter, requests, latency = TierMeter(), RequestMeter(), Histogram()
    key = RecordKey.parse("dispensary_menu:weedmaps:7")
    meter.asked([key], {})
    requests.add(key.data_type, "loaded")
    requests.add(key.data_type, "missing")
    meter.asked([key], {})
    meter.latency.observe(0.00003)
    latency.observe(0.2)
    origin = OriginStats(
        calls=2,
        retries=0,
        rate_limited=0,
        bytes=1234,
        errors={"OriginUnavailable": 1},
        latency=latency.summary(),
        tokens=4.5,
        challenged=2,
        rate_per_s=2.0,
        day_left=37,
        breaker=BreakerState.HALF_OPEN,
        breaker_opened=1,
        breaker_refused=5,
        hedges=3,
        hedges_won=1,
        connections_new=1,
        connections_reused=3,
        in_flight=0,
        waiting=0,
    )
    read = ReadStats(
        requests=requests.total(),
        by_type=requests.by_type(),
        loads=2,
        joined=0,
        in_flight=0,
        negative_entries=0,
        negative_served=0,
        stale_served=0,
        revalidated=0,
        tier_errors=0,
        strategy="local_first",
        asked_first={"memory": 2},
        breakers={"memory": "closed"},
    )
    return NodeStats(
        uptime_s=90.0,
        read=read,
        tiers={"memory": meter.over(TierStats(puts=1, entries=1, bytes=2048))},
        origins={"weedmaps": origin},
        learning=LearningStats(keys=1, schedules=0, decisions=2, compared=1, changed=1, call_prices={"weedmaps": 1.25}),
        refresh=RefreshStats(refreshes=2, loads=1, calls=1, hot_keys=3, planned=1),
        history=HistoryStats(observations=1, rows=3),
        pool=PoolStats(workers=1, inline=1, tasks=1, crashes=0, timeouts=0, waiting=0),
        counters={"origin_calls": 2},
    )


def insight() -> Insight:
    """Return what a learner might believe of a price list that changes at half past eight."""
    return Insight(
        changes_per_day=0.8,
        spread=0.7,
        requests_per_day=12.0,
        looks=40,
        changes=6,
        scheduled_at_min=510,
        schedule_probability=0.97,
        price=2.0,
        stale_probability=0.1,
        stale_at_expiry=0.25,
    )


class FakeNode:
    """A node that answers the same to every question it can understand, and notes what it was asked.

    ``error`` is raised instead, where it is set; ``answer`` is what a hunt gives.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = ManualClock(FETCHED_AT + 90.0)
        self.is_ready = True
        self.error: Exception | None = None
        self.answer = hunt_answer()
        self.asked: dict[str, object] = {}

    async def hunt(self, query: str = "", *, near: str, **asked: object) -> HuntAnswer:
        """Answer for Denver, refuse every other place."""
        self._ask(query=query, near=near, **asked)
        return self.answer

    async def dispensaries(self, near: str, **asked: object) -> DispensariesAnswer:
        """Answer for Denver, refuse every other place."""
        self._ask(near=near, **asked)
        return dispensaries_answer()

    async def record(self, key: str, **asked: object) -> RecordAnswer | None:
        """Answer for shop 7."""
        parsed = RecordKey.parse(key)
        self._ask(key=key, **asked)
        if parsed.native_id != "7":
            return None
        return menu_answer(key) if key.startswith("dispensary_menu") else prices_answer(key)

    def insight(self, key: str) -> tuple[StrategyName, Lifetime, Insight | None]:
        """Know something of price lists alone."""
        parsed = RecordKey.parse(key)
        lifetimes = learning_of(self.settings.cache, clock=self.clock).lifetimes
        limits = lifetimes.limits_of(parsed.data_type)
        chosen = Lifetime(lifetimes.base_of(parsed.data_type), limits.min_s, limits.max_s)
        believed = insight() if parsed.data_type is DataType.PRODUCT_PRICING else None
        return lifetimes.strategy_of(parsed.data_type), chosen, believed

    def hit(self, key: str) -> Rendered | None:
        """Have nothing ready."""
        return None

    async def price_history(self, key: str, **asked: object) -> PriceHistory | None:
        """Answer for shop 7."""
        self._ask(key=key, **asked)
        return price_history_answer(key) if RecordKey.parse(key).native_id == "7" else None

    async def strain(self, slug: str, **asked: object) -> StrainAnswer | None:
        """Answer for Blue Dream."""
        self._ask(slug=slug, **asked)
        return strain_answer() if slug == "blue-dream" else None

    def stats(self) -> NodeStats:
        """Return figures of a node that has answered little."""
        return node_stats()

    def _ask(self, **asked: object) -> None:
        self.asked = asked
        if self.error is not None:
            raise self.error
        if asked.get("near", "Denver, CO") != "Denver, CO":
            raise BadInput(f"unknown place {asked['near']!r}")
