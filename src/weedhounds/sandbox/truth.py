"""What a right adapter must make of an origin's menu, taken from the market's own state.

Independent of the wire and of the adapters: records are built from products, lots and shelves by
what the origin reveals (``revealed``) and what it calls things (``spelling``).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from weedhounds.cache.entry import record_digest
from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Lab, Menu, Price, PriceList
from weedhounds.model.records import Market as SaleMarket
from weedhounds.model.records import Product as ProductRecord
from weedhounds.model.units import Money, Potency, Reading
from weedhounds.sandbox import spelling
from weedhounds.sandbox.catalogue import Product
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.revealed import REVEALED, Revealed
from weedhounds.sandbox.shops import Listing
from weedhounds.sandbox.spelling import Item
from weedhounds.sandbox.stock import Batch, Shelf, report_url

SINCE_STEPS = 16
"""How many events back a change is looked for; nearly every event changes the record."""

_MENU_KEYS = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)
_JUST_BEFORE_S = 0.0005


class Truth:
    """Answers what the menu and pricing keys of every origin hold."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def answer(self, key: RecordKey, now: float) -> dict[str, object]:
        """Return ``{key, digest, value, since, now}`` of a menu or pricing key.

        Raises:
            BadInput: another data type, or no such shop.
        """
        record = self.record(key, now)
        return {
            "key": str(key),
            "digest": record_digest(record).hex(),
            "value": msgspec.to_builtins(record),
            "since": self._since(key, record, now),
            "now": now,
        }

    def record(self, key: RecordKey, now: float) -> Menu | PriceList:
        """Return the normalised record of a menu or pricing key at ``now``.

        Raises:
            BadInput: another data type, or no such shop.
        """
        listing = self._listing(key)
        items = spelling.make_items(listing, self._market.menu(listing.shop))
        order = sorted(range(len(items)), key=lambda i: items[i].id)
        if key.data_type is DataType.DISPENSARY_MENU:
            products = self._products(listing, items, order, now)
            return Menu(origin=listing.origin, shop_id=listing.id, products=tuple(products))
        prices = sorted(
            self._prices(listing, items, order, now), key=lambda p: (p.product_id, p.variant_label, p.market)
        )
        return PriceList(origin=listing.origin, shop_id=listing.id, prices=tuple(prices))

    def _products(
        self, listing: Listing, items: tuple[Item, ...], order: list[int], now: float
    ) -> Iterator[ProductRecord]:
        menu, events = self._market.menu(listing.shop), self._market.state(listing.shop, now).batches
        for i in order:
            batch = self._market.batch(listing.shop, menu[i], events[i]) if menu[i].has_batches else None
            yield _product(listing.origin, menu[i], items[i], batch)

    def _prices(self, listing: Listing, items: tuple[Item, ...], order: list[int], now: float) -> Iterator[Price]:
        menu, events = self._market.menu(listing.shop), self._market.state(listing.shop, now).shelves
        for i in order:
            shelf = self._market.shelf(listing.shop, menu[i], events[i])
            yield from _prices(REVEALED[listing.origin], menu[i], items[i], shelf)

    def _listing(self, key: RecordKey) -> Listing:
        if key.data_type not in _MENU_KEYS or key.variant is not None:
            raise BadInput(f"truth answers dispensary_menu and product_pricing keys of shops, not {key}", key=str(key))
        listing = self._market.listing(key.origin, key.native_id)
        if listing is None or listing.id != key.native_id:
            raise BadInput(f"the market has no shop of the key {key}", key=str(key))
        return listing

    def _since(self, key: RecordKey, record: Menu | PriceList, now: float) -> float:
        """Return the time of the last event that changed the record."""
        shop, at = self._listing(key).shop, now
        for _ in range(SINCE_STEPS):
            state = self._market.state(shop, at)
            at = state.menu_since if key.data_type is DataType.DISPENSARY_MENU else state.price_since
            if self.record(key, at - _JUST_BEFORE_S) != record:
                return at
            at -= _JUST_BEFORE_S
        return at


def _product(origin: str, product: Product, item: Item, batch: Batch | None) -> ProductRecord:
    told = REVEALED[origin]
    strain = product.strain
    return ProductRecord(
        id=item.id,
        name=item.name,
        origin=origin,
        brand=product.brand_name,
        category=product.category,
        category_name=spelling.CATEGORY_WORDS[origin][product.category],
        subcategory=spelling.FORM_WORDS[origin].get(product.form),
        strain=strain.name if strain and told.strain_name else None,
        strain_type=None if strain is None else told.cbd_type if strain.kind == "cbd" else strain.kind,
        potency=_potency(told, batch) if batch else {},
        terpenes=tuple(Reading(n, v, "%") for n, v in batch.terpenes) if batch and told.terpenes else (),
        lab=Lab(report_url=report_url(batch)) if batch and told.report_url else None,
        slug=item.slug,
        image_url=item.image_url,
        updated_at=_updated_at(told, product, batch),
    )


def _updated_at(told: Revealed, product: Product, batch: Batch | None) -> float | None:
    if batch is not None and told.stocked_at:
        return batch.since
    return product.listed_at if told.listed_at else None


def _potency(told: Revealed, batch: Batch) -> dict[str, Potency]:
    contents = (("thc", batch.thc), ("cbd", batch.cbd))
    return {name: Potency(value, value, batch.unit) for name, value in contents if value or told.zero}


def _prices(told: Revealed, product: Product, item: Item, shelf: Shelf) -> Iterator[Price]:
    markets: list[tuple[SaleMarket, tuple[int, ...]]] = [("rec", shelf.cents)]
    if told.med and shelf.med_cents:
        markets.append(("med", shelf.med_cents))
    for i, variant in enumerate(product.variants):
        if told.hides_sold_out and not shelf.quantity[i]:
            continue
        label, amount = told.label(variant)
        for market, cents in markets:
            yield Price(
                product_id=item.id,
                variant_label=label,
                variant=amount,
                market=market,
                price=_money(shelf.paid(cents[i]) if told.lowers_price else cents[i]),
                list_price=_money(cents[i]),
                in_stock=shelf.quantity[i] > 0 if told.quantity or told.hides_sold_out else None,
                quantity=float(shelf.quantity[i]) if told.quantity else None,
                promotions=(told.promotion(shelf.special),) if shelf.special else (),
            )


def _money(cents: int) -> Money:
    return Money(Decimal(cents).scaleb(-2))
