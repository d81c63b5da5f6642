"""The shape of a hunt's answer (what the API, the CLI and Python users receive)."""

from __future__ import annotations

import msgspec

from weedhounds.model.provenance import Provenance
from weedhounds.model.records import Body, Category, Lab, LabResult, Market, Position, Shop
from weedhounds.model.units import Amount, Money, Potency, Reading


class Place(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A point to hunt around."""

    name: str
    lat: float
    lon: float


class OfferShop(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The shop of an offer. ``position`` ``city`` means that the distance is approximate."""

    key: str
    name: str
    address: str | None
    lat: float
    lon: float
    distance_km: float
    position: Position = "exact"


class UnitPrice(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Computed prices per gram and per 100 mg of THC, where weight and potency allow."""

    per_g: Money | None = None
    per_100mg_thc: Money | None = None


class OfferSource(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One origin's claim of the same offer: its provenance and its price."""

    provenance: Provenance
    price: Money


class FoundOffer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One product x variant x market at one shop, merged over the origins that list it.

    ``provenance`` is the winning source's; ``sources`` holds every claim; ``fact_sources`` says for
    a field which of them it was taken from (index into ``sources``).
    """

    shop: OfferShop
    product: str
    product_id: str
    brand: str | None
    strain: str | None
    category: Category
    market: Market
    variant: Amount | None
    variant_label: str
    price: Money
    list_price: Money
    unit_price: UnitPrice
    potency: dict[str, Potency]
    terpenes: tuple[Reading, ...]
    lab: Lab | None
    promotions: tuple[str, ...]
    in_stock: bool | None
    quantity: float | None
    provenance: Provenance
    sources: tuple[OfferSource, ...]
    fact_sources: dict[str, int]


class StrainAnswer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the origins say of the strain that was asked for."""

    slug: str
    name: str
    aka: tuple[str, ...] = ()
    strain_type: str | None = None
    description: str | None = None
    potency: dict[str, Potency] = {}
    terpenes: tuple[Reading, ...] = ()
    effects: dict[str, float] = {}
    lab_results: tuple[LabResult, ...] = ()
    provenance: tuple[Provenance, ...] = ()


class Missing(msgspec.Struct, frozen=True, gc=False, order=True):
    """Something the answer lacks, and why (origin down, no key, deadline, not placed)."""

    origin: str
    what: str
    why: str


class ByTier(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How many of the records came from which tier."""

    memory: int = 0
    sql: int = 0
    peers: int = 0
    origin: int = 0


class Meta(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Figures of one hunt: milliseconds, call attempts at origins, totals."""

    elapsed_ms: float
    origin_calls: int
    offers_total: int
    by_tier: ByTier
    shops: int
    records: int
    next_cursor: str | None = None


class HuntAnswer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Everything that was found, what is missing, and what it took."""

    query: str
    place: Place
    offers: tuple[FoundOffer, ...]
    strain: StrainAnswer | None
    missing: tuple[Missing, ...]
    meta: Meta


class NearbyShop(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A real shop near a place: how the best listing describes it, and every origin's listing."""

    shop: Shop
    distance_km: float
    listings: tuple[str, ...]


class DispensariesAnswer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The shops near a place, nearest first, merged over the origins."""

    place: Place
    dispensaries: tuple[NearbyShop, ...]
    missing: tuple[Missing, ...]
    meta: Meta


class RecordAnswer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One record as held, with where it came from. ``expires_at`` in Unix seconds."""

    key: str
    record: Body
    digest: str
    expires_at: float
    is_stale: bool
    provenance: Provenance
