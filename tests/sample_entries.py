"""Entries for tests: small, invented, and the same for the same arguments."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from weedhounds.cache.entry import Entry
from weedhounds.cache.sql import SqliteTier
from weedhounds.errors import TierUnavailable
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import Category, Menu, Price, PriceList, Product
from weedhounds.model.units import Amount, Money, Potency

NOW = 1_750_000_000.0


def menu_key(shop: int | str) -> RecordKey:
    """Return the menu key of an invented shop."""
    return RecordKey(DataType.DISPENSARY_MENU, "weedmaps", str(shop))


def menu(shop: int | str, products: int = 1, marker: str = "") -> Menu:
    """Return an invented menu; ``marker`` makes its content differ."""
    return Menu(
        origin="weedmaps",
        shop_id=str(shop),
        products=tuple(
            Product(
                id=f"{number:05}",
                name=f"Invented Haze {number} {marker}",
                origin="weedmaps",
                brand=f"Brand {number % 7}",
                category=Category.FLOWER,
                potency={"thc": Potency(18.5, 21.0, "%")},
            )
            for number in range(products)
        ),
    )


def price_list(shop: str, prices: int) -> PriceList:
    """Return an invented price list."""
    return PriceList(
        origin="weedmaps",
        shop_id=shop,
        prices=tuple(
            Price(
                product_id=f"{number:05}",
                variant_label="1/8 oz",
                variant=Amount(3.5, "g"),
                market="rec",
                price=Money(Decimal(20 + number % 30)),
                list_price=Money(Decimal(25 + number % 30)),
            )
            for number in range(prices)
        ),
    )


def menu_entry(
    shop: int | str,
    *,
    fetched_at: float = NOW,
    expires_at: float | None = None,
    marker: str = "",
    products: int = 1,
    pinned_at: float | None = None,
) -> Entry:
    """Return an entry whose record is decoded; an hour of lifetime unless told."""
    return Entry.of(
        menu_key(shop),
        menu(shop, products, marker),
        fetched_at=fetched_at,
        expires_at=fetched_at + 3600 if expires_at is None else expires_at,
        pinned_at=pinned_at,
    )


def raw_entry(
    shop: int | str,
    body: bytes,
    *,
    key: RecordKey | None = None,
    fetched_at: float = NOW,
    expires_at: float = NOW + 3600,
    etag: str | None = None,
    last_modified: str | None = None,
    origins: tuple[str, ...] = ("weedmaps",),
    share: ShareScope = ShareScope.NEVER,
    pinned_at: float | None = None,
    signed_by: str | None = None,
) -> Entry:
    """Return an entry of any bytes, as a tier holds them without looking inside; of the shop's menu unless told."""
    return Entry(
        key or menu_key(shop),
        body,
        fetched_at=fetched_at,
        expires_at=expires_at,
        digest=bytes(range(20)),
        origins=origins,
        share=share,
        etag=etag,
        last_modified=last_modified,
        pinned_at=pinned_at,
        signed_by=signed_by,
    )


def same(one: Entry, other: Entry) -> bool:
    """Tell whether two entries agree in everything that is stored."""
    names = [name for name in Entry.__slots__ if not name.startswith("_")]
    return all(getattr(one, name) == getattr(other, name) for name in names)


def commits_of(tier: SqliteTier) -> asyncio.Queue[TierUnavailable | None]:
    """Return a queue that gets the outcome of each commit of entries: ``None``, or why it failed."""
    outcomes: asyncio.Queue[TierUnavailable | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    waiting = tier._waiting
    finish = waiting.finish

    def finish_and_tell(error: TierUnavailable | None) -> None:
        finish(error)
        loop.call_soon_threadsafe(outcomes.put_nowait, error)

    waiting.finish = finish_and_tell  # type: ignore[method-assign]
    return outcomes
