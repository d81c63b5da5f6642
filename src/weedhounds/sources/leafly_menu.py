"""What Leafly states of products and menu items: what they cost, weigh and contain.

Two kinds of item. A *product* of the catalogue carries at most one offer, that of the shop which
Leafly calls best (``bestOfferVariant``, recorded); a *menu item* is of one shop and carries its
own price and ``variants[]``.

Price. ``price`` is what the whole variant costs, ``pricePerUnit`` that divided by ``quantity``
(recorded: 6 for 0.025 g beside 240). It stands before the ``deal``: the three recorded deals give
``discountedPrice`` in cents (800 beside 10, 1421 beside 20.31, 2520 beside 36) and hold on certain
days or until an hour, so the deal becomes a promotion's name and no price. ``sortPrice`` and
``msrp`` are no shop's prices (``msrp`` is 0 in 876 of the 1,110 recorded products that state it).

Amount. ``quantity`` and ``unit`` ("1 pc", "3.5 g", "100 mg"); of edibles the milligrams are what
they contain. ``displayQuantity`` is the label where it has a number ("g" alone was recorded).

Potency. ``thcContent`` with ``thcContentType`` (products) or ``thcUnit`` (menus): ``mg`` or
``percent``; "25-29" is a range. Contents without a type or of type ``none`` (133 recorded values
that fit percent as well as milligrams) and items with nothing but zeros are left out.
``thcPips`` are the dots of a drawing (null in all recorded offers).

Market. A menu item says ``medical``; an offer of the catalogue is medical where its shop's name
says that and nothing else ("Example Shop (Medical)"), as the recorded names of Arizona do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Market, Price, Product, Shop, ShopRef
from weedhounds.model.units import Amount, Money, Potency
from weedhounds.sources import wire
from weedhounds.sources.base import Skipped, clip
from weedhounds.sources.categories import canonical_category
from weedhounds.sources.leafly_shops import ORIGIN, shop_of, shop_ref
from weedhounds.sources.leafly_strains import strain_type

MAX_VARIANTS = 100
"""Most variants that are read of one menu item."""

_CONTENT_UNITS = frozenset({"%", "mg", "mg/g"})
_RANGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%?\s*(?:-|–|to)\s*(\d+(?:\.\d+)?)\s*%?\s*")
_DEAL_NAMES = ("title", "dealTitle", "dealLabel", "label", "name")


class _Item(msgspec.Struct, rename="camel"):
    id: int | str | None = None
    menu_item_id: int | str | None = None
    name: str | None = None
    slug: str | None = None
    brand: object = None
    brand_name: str | None = None
    category_name: str | None = None
    subcategory_name: str | None = None
    product_category: str | None = None
    strain: object = None
    strain_name: str | None = None
    thc_content: object = None
    thc_content_type: str | None = None
    thc_unit: str | None = None
    cbd_content: object = None
    cbd_content_type: str | None = None
    cbd_unit: str | None = None
    image_url: str | None = None
    best_offer_variant: msgspec.Raw = msgspec.Raw(b"null")
    variants: object = None
    price: object = None
    quantity: object = None
    unit: object = None
    display_quantity: object = None
    deal: object = None
    stock_quantity: object = None
    medical: object = None
    dispensary_id: int | str | None = None
    dispensary_name: str | None = None
    updated_at: object = None


_AS_GIVEN = (
    "brand", "strain", "thc_content", "cbd_content", "variants", "price", "quantity", "unit", "display_quantity", "deal",
    "stock_quantity", "medical", "updated_at",
)  # fmt: skip
_item = wire.ItemDecoder(_Item, as_given=_AS_GIVEN)


class _Offer(msgspec.Struct, rename="camel"):
    """One way in which an item is sold: an offer of the catalogue, a variant, or the menu item itself."""

    id: int | str | None = None
    price: object = None
    quantity: object = None
    unit: object = None
    display_quantity: object = None
    deal: object = None
    stock_quantity: object = None
    medical: object = None
    dispensary: msgspec.Raw = msgspec.Raw(b"null")


_offer = wire.ItemDecoder(
    _Offer, as_given=("price", "quantity", "unit", "display_quantity", "deal", "stock_quantity", "medical")
)


class ItemReader:
    """Collects the products and offers of one answer; broken items are noted, repeated ones count once.

    Args:
        currency: of all prices (Leafly states none).
    """

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self.products: list[Product] = []
        self.prices: list[Price] = []
        self.skipped: list[Skipped] = []
        self.shops: dict[str, Shop] = {}
        self.shops_of: dict[str, ShopRef] = {}
        self.menu_shops: dict[str, ShopRef] = {}
        self.seen = 0
        self._ids: set[str] = set()

    def read(self, items: Iterable[msgspec.Raw], where: str) -> None:
        """Read the items of a list."""
        for index, raw in enumerate(items):
            self.seen += 1
            place = f"{where}[{index}]"
            try:
                self._read_item(_item.decode(raw), place)
            except SchemaMismatch as error:
                self.skipped.append(Skipped(place, str(error)))

    def _read_item(self, given: _Item, place: str) -> None:
        item_id = wire.identifier(given.id) or wire.identifier(given.menu_item_id)
        name = clip(given.name)
        if item_id is None or name is None:
            raise SchemaMismatch("an item without an id" if item_id is None else f"item {item_id} without a name")
        if item_id in self._ids:
            return
        self._ids.add(item_id)
        self.products.append(_product(given, item_id, name))
        prices: dict[tuple[str, Market], Price] = {}
        for offer, at in self._offers(given, item_id, place):
            price = self._price(offer, item_id, at)
            if price is not None:
                _keep(prices, price, wire.identifier(offer.id))
        self.prices.extend(prices.values())
        if not prices:
            self.shops_of.pop(item_id, None)

    def _offers(self, given: _Item, item_id: str, place: str) -> Iterable[tuple[_Offer, str]]:
        if bytes(memoryview(given.best_offer_variant)[:1]) == b"{":
            offer = _offer.decode(given.best_offer_variant)
            yield self._placed(offer, item_id, f"{place} bestOfferVariant"), f"{place} bestOfferVariant"
            return
        self._see_shop(given, item_id)
        variants = given.variants if isinstance(given.variants, list) else []
        for index, variant in enumerate(variants[:MAX_VARIANTS]):
            if isinstance(variant, dict):
                yield _variant(variant, given), f"{place} variants[{index}]"
            else:
                self.skipped.append(Skipped(f"{place} variants[{index}]", "no object"))
        if not variants:
            yield _own_offer(given), place

    def _placed(self, offer: _Offer, item_id: str, place: str) -> _Offer:
        """Note the shop of a catalogue's offer; its name may tell the market."""
        try:
            shop = shop_of(offer.dispensary)
        except SchemaMismatch as error:
            self.skipped.append(Skipped(f"{place} dispensary", str(error)))
            return offer
        self.shops.setdefault(shop.id, shop)
        self.shops_of[item_id] = shop_ref(shop)
        if offer.medical is None and shop.markets == ("med",):
            return msgspec.structs.replace(offer, medical=True)
        return offer

    def _see_shop(self, given: _Item, item_id: str) -> None:
        shop_id = wire.identifier(given.dispensary_id)
        if shop_id is not None:
            key = str(RecordKey(DataType.DISPENSARY_INFO, ORIGIN, shop_id))
            ref = ShopRef(key=key, id=shop_id, name=clip(given.dispensary_name))
            self.shops_of[item_id] = self.menu_shops.setdefault(shop_id, ref)

    def _price(self, offer: _Offer, item_id: str, place: str) -> Price | None:
        try:
            price = Money.of(offer.price, self._currency)
        except SchemaMismatch as error:
            self.skipped.append(Skipped(place, str(error)))
            return None
        if price is None:
            return None
        quantity = wire.number(offer.stock_quantity)
        deal = _deal(offer.deal)
        amount = _amount(offer)
        return Price(
            product_id=item_id,
            variant_label=_label(offer),
            variant=amount,
            market="med" if offer.medical is True else "rec",
            price=price,
            list_price=price,
            in_stock=None if quantity is None else quantity > 0,
            quantity=quantity,
            promotions=(deal,) if deal else (),
        )


def _keep(prices: dict[tuple[str, Market], Price], price: Price, variant_id: str | None) -> None:
    """Add a price; one that repeats a label with another price gets a label of its own."""
    label = price.variant_label
    known = prices.get((label, price.market))
    if known is not None and known != price:
        label = f"{label} ({variant_id or len(prices)})"
    prices.setdefault((label, price.market), msgspec.structs.replace(price, variant_label=label))


def _variant(variant: Mapping[str, object], given: _Item) -> _Offer:
    """Return a variant's offer; what it does not state itself is the item's."""
    quantity = variant.get("stockQuantity")
    variant_id = variant.get("id")
    return _Offer(
        id=variant_id if isinstance(variant_id, int | str) else None,
        price=variant.get("price"),
        quantity=variant.get("quantity"),
        unit=variant.get("unit"),
        display_quantity=variant.get("displayQuantity"),
        deal=variant.get("deal") or given.deal,
        stock_quantity=given.stock_quantity if quantity is None else quantity,
        medical=variant.get("medical", given.medical),
    )


def _own_offer(given: _Item) -> _Offer:
    return _Offer(
        price=given.price,
        quantity=given.quantity,
        unit=given.unit,
        display_quantity=given.display_quantity,
        deal=given.deal,
        stock_quantity=given.stock_quantity,
        medical=given.medical,
    )


def _product(given: _Item, item_id: str, name: str) -> Product:
    strain = given.strain if isinstance(given.strain, dict) else {}
    brand = given.brand.get("name") if isinstance(given.brand, dict) else given.brand
    category = given.category_name or given.product_category
    return Product(
        id=item_id,
        name=name,
        origin=ORIGIN,
        brand=clip(given.brand_name) or wire.label_text(brand),
        category=canonical_category(category, given.subcategory_name),
        category_name=clip(category),
        subcategory=clip(given.subcategory_name),
        strain=wire.label_text(strain.get("name")) or clip(given.strain_name),
        strain_type=strain_type(strain.get("category")) or strain_type(strain.get("phenotype")),
        potency=_potency(given),
        slug=clip(given.slug),
        image_url=clip(given.image_url),
        updated_at=wire.instant(given.updated_at),
    )


def _potency(given: _Item) -> dict[str, Potency]:
    stated = {
        "thc": _content(given.thc_content, given.thc_content_type or given.thc_unit),
        "cbd": _content(given.cbd_content, given.cbd_content_type or given.cbd_unit),
    }
    found = {analyte: content for analyte, content in stated.items() if content is not None}
    return found if any(content.high for content in found.values()) else {}


def _content(value: object, stated_unit: str | None) -> Potency | None:
    unit = wire.unit_text(stated_unit)
    if unit not in _CONTENT_UNITS:
        return None
    between = _RANGE.fullmatch(value) if isinstance(value, str) and len(value) <= wire.MAX_LABEL else None
    return wire.potency(between[1], between[2], unit) if between else wire.potency(value, value, unit)


def _stated_quantity(offer: _Offer) -> str | None:
    quantity = wire.number(offer.quantity)
    unit = wire.label_text(offer.unit)
    return f"{quantity:.12g} {unit}" if quantity and unit else None


def _amount(offer: _Offer) -> Amount | None:
    stated, shown = _stated_quantity(offer), wire.label_text(offer.display_quantity)
    return (wire.amount_of(stated) if stated else None) or (wire.amount_of(shown) if shown else None)


def _label(offer: _Offer) -> str:
    shown = wire.label_text(offer.display_quantity)
    if shown and (any(c.isdigit() for c in shown) or _stated_quantity(offer) is None):
        return shown
    return _stated_quantity(offer) or shown or "each"


def _deal(deal: object) -> str | None:
    if not isinstance(deal, dict):
        return None
    return next((text for name in _DEAL_NAMES if (text := wire.label_text(deal.get(name)))), None)
