"""What a source is: an origin's requests and answers, described without I/O.

A source turns record keys into :class:`Load` plans (which calls fill which keys), parses answers
into records, and says which calls follow from an answer (further pages). Sending is
``fetch.py``'s work, storing the read path's. Parsing never raises for one broken item: it is
skipped and reported; only an answer that is no answer at all raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from weedhounds.errors import OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Terms
from weedhounds.model.records import (
    Brand,
    LabResult,
    Offer,
    Price,
    Product,
    Promotion,
    Shop,
    ShopRef,
    Strain,
    join_offers,
)

MAX_TEXT = 2_000
"""Longest text kept from an origin, characters; longer ones are cut."""


class Kind(StrEnum):
    """What an answer holds."""

    MENU = "menu"
    SHOPS = "shops"
    STRAINS = "strains"
    PRODUCTS = "products"
    PROMOTIONS = "promotions"
    LABS = "labs"
    LICENCES = "licences"


class Tested(StrEnum):
    """What a source's parser of a kind is tested against."""

    __test__ = False  # the name is no test class

    RECORDED = "recorded"
    HAND_MADE = "hand-made"


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """An item that could not be normalised: ``where`` in the answer, and ``why``."""

    where: str
    why: str


class Parsed(msgspec.Struct, kw_only=True):
    """What one answer held.

    Args:
        shop_id: native id of the one shop that a menu answer is of, where it tells it.
        shops_of: by product id, the shop of each offer, where items tell their own.
        seen: items in the answer, broken and repeated ones included.
        total: items that the origin says exist over all pages, where it says.
        observed_at: Unix seconds at which the origin says the answer was made, where it does.
    """

    products: list[Product] = []
    prices: list[Price] = []
    shops: list[Shop] = []
    strains: list[Strain] = []
    lab_results: list[LabResult] = []
    promotions: list[Promotion] = []
    brands: list[Brand] = []
    skipped: list[Skipped] = []
    shops_of: dict[str, ShopRef] = {}
    shop_id: str | None = None
    seen: int = 0
    total: int | None = None
    observed_at: float | None = None

    def records(self) -> list[Offer | Product | Shop | Strain | LabResult | Promotion | Brand]:
        """Return what ``sources parse`` shows: offers joined, products without an offer, the rest as is."""
        priced = {price.product_id for price in self.prices}
        products = {product.id: product for product in self.products}
        shops_of = self.shops_of
        if self.shop_id is not None and self.products:
            own = RecordKey(DataType.DISPENSARY_INFO, self.products[0].origin, self.shop_id)
            shops_of = dict.fromkeys(products, ShopRef(key=str(own), id=self.shop_id)) | self.shops_of
        return [
            *join_offers(products, self.prices, shops_of),
            *(product for product in self.products if product.id not in priced),
            *self.shops,
            *self.strains,
            *self.lab_results,
            *self.promotions,
            *self.brands,
        ]


class Call(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One HTTP request to an origin, relative to its base address.

    Args:
        path: begins with ``/``; already encoded.
        body: JSON request body, already encoded, or ``None``.
        page: which page of the load this is, from 0.
    """

    kind: Kind
    path: str
    method: str = "GET"
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    page: int = 0


class Load(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A plan: the first calls to make, and the keys that their answers fill.

    Args:
        what: chooses how answers become bodies (:func:`weedhounds.sources.assemble.assemble`):
            ``menu`` | ``near`` | ``promotions`` | ``strains`` | ``labs``.
        keys: the asked keys that this load fills; it may fill more.
        shop_id: for menus and promotions.
    """

    origin: str
    what: str
    keys: tuple[RecordKey, ...]
    calls: tuple[Call, ...]
    shop_id: str | None = None


class Budget(msgspec.Struct, frozen=True, gc=False):
    """How hard an origin may be asked: bucket of ``burst`` calls refilled at ``rate_per_s``; calls in flight."""

    burst: int
    rate_per_s: float
    concurrency: int


class OriginConfig(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An origin as configured: adapter + base address + keys + budget + terms.

    Args:
        base_url: no trailing slash.
        options: what changes without notice (page sizes, persisted-query hashes, index names);
            names and defaults are the source's.
        keys: secrets; never logged.
        calls_per_day: most calls in any 24 hours; ``None`` for as many as the budget gives, 0 for none.
        currency: of prices whose currency the origin does not state.
    """

    origin: str
    base_url: str
    budget: Budget
    terms: Terms
    enabled: bool = True
    options: Mapping[str, str] = {}
    keys: Mapping[str, str] = {}
    calls_per_day: int | None = None
    currency: str = "USD"


class SourceInfo(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What ``sources list`` tells of a source.

    Args:
        tested: by kind, what its parser is tested against.
        key_needed: name of the key in ``OriginConfig.keys`` that live calls need, or ``None``.
    """

    origin: str
    name: str
    protocol: str
    data_types: tuple[DataType, ...]
    tested: Mapping[str, Tested]
    key_needed: str | None
    live: OriginConfig


class Source(Protocol):
    """The client side of one origin, without I/O."""

    config: OriginConfig

    def __init__(self, config: OriginConfig) -> None:
        """Make the source of a configured origin."""
        ...

    @classmethod
    def info(cls) -> SourceInfo:
        """Return the source's description and its live defaults."""
        ...

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        """Return the records of one answer.

        Args:
            body: the answer's bytes, decompressed.
            kind: what it holds; detected from its shape unless given.
            currency: of prices that state none.

        Raises:
            OriginRejected: HTML instead of JSON ("blocked"), or an error envelope.
            SchemaMismatch: no JSON, or no known envelope.
        """
        ...

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        """Return the loads that fill ``keys`` (all of this origin), the fewest calls that do.

        Args:
            keys: record keys; near keys of several cells become one search over all of them.
            shops: known shops by native id, for origins whose addresses need a slug.

        Raises:
            OriginRejected: a key (setting) is missing.
            BadInput: the origin cannot fill one of the keys.
        """
        ...

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        """Return the calls that an answer shows to be needed besides: its further pages."""
        ...


def decode_document(body: bytes, type_: Any = Any) -> Any:
    """Decode a JSON answer; tell bot guards and garbage apart.

    Raises:
        OriginRejected: HTML instead of JSON.
        SchemaMismatch: not JSON, or not of ``type_``.
    """
    head = body[:256].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")):
        raise OriginRejected("blocked: HTML instead of JSON")
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaMismatch(f"not the expected JSON: {error}") from error


def clip(text: str | None, limit: int = MAX_TEXT) -> str | None:
    """Return ``text`` stripped and cut to ``limit`` characters; ``None`` for an empty one."""
    text = text.strip() if text else ""
    return text[:limit] or None
