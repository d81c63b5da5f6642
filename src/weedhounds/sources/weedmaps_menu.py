"""The items of a Weedmaps menu, in its three layouts, as products and prices.

``compliance_net_mg`` is not used for the amount of items sold a piece: of the 749 recorded ones
whose name states a weight, 255 state another in that field.

Stock: ``inventory_quantity`` is in units of the variant it stands in (recorded: 268 pieces of
1 g stand beside 76 of 1/8 oz and 9 of 1 oz). ``online_orderable`` says nothing of stock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.records import Category, Market, Price, Product
from weedhounds.sources import wire
from weedhounds.sources.base import Skipped, clip
from weedhounds.sources.categories import canonical_category
from weedhounds.sources.weedmaps_potency import contents, metrics_of
from weedhounds.sources.weedmaps_prices import PriceReader, PriceRow, either

ORIGIN = "weedmaps"

_STRAIN_TYPES = frozenset({"indica", "sativa", "hybrid", "cbd"})
_MARKETS: Mapping[str, tuple[Market, ...]] = {
    "recreational": ("rec",),
    "medical": ("med",),
    "hybrid": ("rec", "med"),
    "both": ("rec", "med"),
}
_CATEGORIES_2014 = {
    1: "Indica", 2: "Sativa", 3: "Hybrid", 4: "Edible", 5: "Concentrate", 8: "Seeds", 11: "Topicals", 12: "Preroll",
}  # fmt: skip
"""The numbers of the 2014 layout, as far as the recorded items' names bear them out."""


class _Attributes(msgspec.Struct):
    name: str | None = None
    slug: str | None = None
    category_name: str | None = None
    is_published: bool | None = None
    license_type: str | None = None
    brand_name: str | None = None
    cannabinoids: object = None
    genetics: str | None = None
    prices: object = None
    avatar_image_url: str | None = None
    updated_at: str | None = None
    parent_category: object = None
    sub_category: object = None
    measurements: object = None
    variants: object = None
    sale: object = None
    inventory_quantity: object = None


class _Link(msgspec.Struct):
    id: int | str | None = None


class _Relation(msgspec.Struct):
    data: _Link | None = None


class _Relations(msgspec.Struct):
    listing: _Relation | None = None


class _ApiItem(msgspec.Struct):
    id: int | str | None = None
    attributes: msgspec.Raw = msgspec.Raw(b"null")
    relationships: msgspec.Raw = msgspec.Raw(b"{}")


_api_item = wire.ItemDecoder(_ApiItem)
_attributes = wire.ItemDecoder(
    _Attributes,
    as_given=("prices", "variants", "measurements", "cannabinoids", "sale", "parent_category", "sub_category", "inventory_quantity"),
)  # fmt: skip
_relations = msgspec.json.Decoder(_Relations, strict=False)


class Facts(msgspec.Struct, kw_only=True):
    """What an item of any layout states, besides its prices."""

    id: str
    name: str
    brand: str | None = None
    category: Category = Category.OTHER
    category_name: str | None = None
    subcategory: str | None = None
    strain: str | None = None
    strain_type: str | None = None
    markets: tuple[Market, ...] = ("rec",)
    is_published: bool = True
    promotions: tuple[str, ...] = ()
    measurements: object = None
    cannabinoids: object = None
    slug: str | None = None
    image_url: str | None = None
    updated_at: str | None = None


class MenuReader:
    """Collects products and prices of one menu answer; broken items are noted, repeated ones count once.

    Args:
        currency: of prices that state none.
    """

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self.products: list[Product] = []
        self.prices: list[Price] = []
        self.skipped: list[Skipped] = []
        self.shop_ids: set[str] = set()
        self.seen = 0
        self._ids: set[str] = set()

    def read_api(self, items: Iterable[msgspec.Raw], where: str) -> None:
        """Read items of the JSON:API layout, ``{id, attributes, relationships}``."""
        for index, raw in enumerate(items):
            place = f"{where}[{index}]"
            self.seen += 1
            try:
                item = _api_item.decode(raw)
                given = _attributes.decode(item.attributes)
                relations: _Relations | None = wire.decode_field(item.relationships, _relations)
                self._see_shop(relations)
                facts = _api_facts(item, given)
            except SchemaMismatch as error:
                self.skipped.append(Skipped(place, str(error)))
                continue
            reader = PriceReader(self._currency, place, self.skipped)
            if self._is_new(facts):
                quantity = wire.number(given.inventory_quantity)
                self._add(facts, reader.rows(variants=given.variants, prices=given.prices, quantity=quantity))

    def read_listed(self, items: Iterable[msgspec.Raw], where: str) -> None:
        """Read items of the discovery layout and of the site's pages (camel case), prices A and C."""
        for place, given in self._objects(items, where):
            try:
                facts = _listed_facts(given)
            except SchemaMismatch as error:
                self.skipped.append(Skipped(place, str(error)))
                continue
            reader = PriceReader(self._currency, place, self.skipped)
            if self._is_new(facts):
                quantity = wire.number(either(given, "inventory_quantity"))
                variants, prices, single = given.get("variants"), given.get("prices"), given.get("price")
                rows = reader.rows(variants=variants, prices=prices, single=single, quantity=quantity)
                self._add(facts, rows)

    def read_flat(self, items: Iterable[msgspec.Raw], where: str) -> None:
        """Read items of the 2014 layout: fixed price keys in the item itself."""
        for place, given in self._objects(items, where):
            shop_id = wire.identifier(given.get("dispensary_id"))
            self.shop_ids |= {shop_id} if shop_id else set()
            try:
                facts = _flat_facts(given)
            except SchemaMismatch as error:
                self.skipped.append(Skipped(place, str(error)))
                continue
            if self._is_new(facts):
                prices = {key: value for key, value in given.items() if key.startswith("price_")}
                self._add(facts, PriceReader(self._currency, place, self.skipped).rows(variants=None, prices=prices))

    def _objects(self, items: Iterable[msgspec.Raw], where: str) -> Iterable[tuple[str, dict[str, object]]]:
        for index, raw in enumerate(items):
            self.seen += 1
            given = wire.decode_loose(raw)
            if isinstance(given, dict):
                yield f"{where}[{index}]", given
            else:
                self.skipped.append(Skipped(f"{where}[{index}]", "not an object"))

    def _see_shop(self, relations: _Relations | None) -> None:
        if relations and relations.listing and relations.listing.data:
            shop_id = wire.identifier(relations.listing.data.id)
            self.shop_ids |= {shop_id} if shop_id else set()

    def _is_new(self, facts: Facts) -> bool:
        is_new = facts.id not in self._ids
        self._ids.add(facts.id)
        return is_new

    def _add(self, facts: Facts, rows: Iterable[PriceRow]) -> None:
        potency, terpenes = contents(facts.measurements, facts.cannabinoids, facts.category)
        self.products.append(
            Product(
                id=facts.id,
                name=facts.name,
                origin=ORIGIN,
                brand=clip(facts.brand),
                category=facts.category,
                category_name=clip(facts.category_name),
                subcategory=clip(facts.subcategory),
                strain=facts.strain,
                strain_type=facts.strain_type,
                potency=potency,
                terpenes=terpenes,
                slug=clip(facts.slug),
                image_url=clip(facts.image_url),
                updated_at=wire.instant(facts.updated_at),
            )
        )
        self.prices.extend(_price(facts, row, market) for row in rows for market in facts.markets)


def _price(facts: Facts, row: PriceRow, market: Market) -> Price:
    in_stock = None if row.quantity is None else row.quantity > 0
    return Price(
        product_id=facts.id,
        variant_label=row.label,
        variant=row.amount,
        market=market,
        price=row.price,
        list_price=row.list_price,
        in_stock=in_stock if facts.is_published else False,
        quantity=row.quantity,
        promotions=facts.promotions,
    )


def _api_facts(item: _ApiItem, given: _Attributes) -> Facts:
    item_id, name = _essential(item.id, given.name)
    parent, sub = _name_of(given.parent_category), _name_of(given.sub_category)
    return Facts(
        id=item_id,
        name=name,
        brand=given.brand_name,
        category=_category(sub, parent, given.category_name),
        category_name=given.category_name or parent,
        subcategory=sub,
        strain_type=_strain_type(given.genetics),
        markets=markets_of(given.license_type) or ("rec",),
        is_published=given.is_published is not False,
        promotions=_sale(given.sale),
        measurements=given.measurements,
        cannabinoids=given.cannabinoids,
        slug=given.slug,
        image_url=given.avatar_image_url,
        updated_at=given.updated_at,
    )


def _listed_facts(given: Mapping[str, object]) -> Facts:
    item_id, name = _essential(given.get("id"), given.get("name"))
    edge = either(given, "edge_category")
    ancestors = edge.get("ancestors") if isinstance(edge, dict) else None
    parent = _name_of(ancestors[0]) if isinstance(ancestors, list) and ancestors else None
    own, sub = _name_of(given.get("category")), _name_of(edge)
    genetics = _strain_type(_name_of(either(given, "genetics_tag"))) or _strain_type(given.get("genetics"))
    deal = wire.label_text(either(given, "current_deal_title"))
    return Facts(
        id=item_id,
        name=name,
        brand=_name_of(given.get("brand")) or _name_of(either(given, "brand_endorsement")),
        category=_category(sub, parent, own),
        category_name=parent or sub or own,
        subcategory=sub if parent else None,
        strain=_name_of(given.get("strain")),
        strain_type=genetics or _strain_type(own),
        markets=markets_of(either(given, "license_type")) or ("rec",),
        is_published=either(given, "is_published") is not False,
        promotions=(deal,) if deal else _sale(given.get("sale")),
        measurements=metrics_of(given.get("metrics")),
        slug=wire.label_text(given.get("slug")),
        image_url=_image(either(given, "avatar_image")),
        updated_at=wire.label_text(either(given, "updated_at")),
    )


def _flat_facts(given: Mapping[str, object]) -> Facts:
    item_id, name = _essential(given.get("id"), given.get("name"))
    number = given.get("menu_item_category_id")
    named = _CATEGORIES_2014.get(number) if isinstance(number, int) else None
    return Facts(
        id=item_id,
        name=name,
        category=canonical_category(named),
        category_name=named,
        strain_type=_strain_type(named),
        is_published=given.get("published") is not False,
        slug=wire.label_text(given.get("slug")),
        updated_at=wire.label_text(given.get("updated_at")),
    )


def _essential(item_id: object, name: object) -> tuple[str, str]:
    text, named = wire.identifier(item_id), wire.label_text(name)
    if text is None or named is None:
        raise SchemaMismatch("an item without an id" if text is None else f"item {text} without a name")
    return text, named


def _name_of(value: object) -> str | None:
    return wire.label_text(value.get("name")) if isinstance(value, dict) else wire.label_text(value)


def _image(value: object) -> str | None:
    return (
        wire.label_text(either(value, "large_url") or either(value, "original_url"))
        if isinstance(value, dict)
        else None
    )


@lru_cache(maxsize=1024)
def _category(sub: str | None, parent: str | None, name: str | None) -> Category:
    """Return the category; the narrowest name tells most, but what is under gear is gear (vaporizers)."""
    if canonical_category(parent or name) is Category.ACCESSORY:
        return Category.ACCESSORY
    return canonical_category(sub, parent, name)


def _strain_type(value: object) -> str | None:
    lowered = value.strip().lower() if isinstance(value, str) else None
    return lowered if lowered in _STRAIN_TYPES else None


def markets_of(license_type: object) -> tuple[Market, ...]:
    """Return the markets that a licence type (``medical``, ``recreational``, ``hybrid``) allows; none if unknown."""
    return _MARKETS.get(license_type.strip().lower(), ()) if isinstance(license_type, str) else ()


def _sale(sale: object) -> tuple[str, ...]:
    if not isinstance(sale, dict):
        return ()
    title, amount, kind = wire.label_text(sale.get("title")), wire.number(sale.get("amount")), sale.get("type")
    if title:
        return (title,)
    if not amount or not isinstance(kind, str):
        return ()
    return (f"{amount:g}% off" if kind == "percentage" else f"{amount:g} {kind[:40]} off",)
