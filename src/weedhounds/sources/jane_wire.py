"""Jane's menu hits as records.

What was decided from recorded hits and public descriptions of the index:

- A weight is sold so where its ``price_<weight>`` is a price. What is paid is the lowest of it, of
  ``discounted_price_<weight>`` and of the special's ``discount_price``. Bundle, cart and brand
  specials need more than one item or a signed-in customer: they change no price.
- Percentages are read for flower, pre-rolls, vapes and concentrates alone: for edibles, tinctures
  and topicals shops put milligrams into the same fields, and nothing tells which it is.
- A percentage of 0 is what the index writes where nothing was measured: it states nothing.
- A special's title is known for the hit's own ``special_id`` only; a weight whose price comes from
  another special carries no name.
- ``available_weights`` lists what is there. Hits sold by the piece often leave it empty; there
  ``max_cart_quantity`` tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.analytes import is_cannabinoid, is_terpene
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Category, Lab, Market, Price, Product, ShopRef
from weedhounds.model.units import Amount, Money, Potency, Reading
from weedhounds.sources.base import Parsed, Skipped, clip
from weedhounds.sources.categories import canonical_category
from weedhounds.sources.wire import (
    NOTHING,
    ItemDecoder,
    amount_of,
    analyte_name,
    decode_field,
    identifier,
    instant,
    number,
    position,
    potency,
    price_of,
    reading,
    unit_text,
)

ORIGIN = "jane"
WEIGHTS = ("each", "half_gram", "gram", "two_gram", "eighth_ounce", "quarter_ounce", "half_ounce", "ounce")

_LABELS = {weight: weight.replace("_", " ") for weight in WEIGHTS}
_PERCENTAGES = ("thc", "thca", "cbd", "cbda", "tac")
_SOLD_BY_POTENCY = frozenset({Category.FLOWER, Category.PRE_ROLL, Category.VAPE, Category.CONCENTRATE})
_STRAIN_TYPES = frozenset({"indica", "sativa", "hybrid", "cbd"})


class _Special(msgspec.Struct, gc=False):
    special_id: int | str | None = None
    discount_price: Decimal | None = None


class _LabEntry(msgspec.Struct):
    compound_name: str | None = None
    name: str | None = None
    value: float | str | None = None
    unit: str | None = None
    lab_results: list[_LabEntry | None] | None = None


class _Urls(msgspec.Struct, gc=False):
    original: str | None = None
    medium: str | None = None


class _Photo(msgspec.Struct, gc=False):
    urls: _Urls | None = None


class _Geo(msgspec.Struct, gc=False):
    lat: float | None = None
    lng: float | None = None


_Lowered = _Special | Decimal | None


class _Hit(msgspec.Struct, gc=False):
    object_id: str | int | None = msgspec.field(default=None, name="objectID")
    product_id: int | str | None = None
    store_id: int | str | None = None
    name: str | None = None
    brand: str | None = None
    kind: str | None = None
    kind_subtype: str | None = None
    root_subtype: str | None = None
    custom_product_subtype: str | None = None
    category: str | None = None
    strain: str | None = None
    url_slug: str | None = None
    store_types: list[str | None] | None = None
    available_weights: list[str | None] | None = None
    max_cart_quantity: float | None = None
    net_weight_grams: float | None = None
    amount: str | None = None
    percent_thc: float | str | None = None
    percent_thca: float | str | None = None
    percent_cbd: float | str | None = None
    percent_cbda: float | str | None = None
    percent_tac: float | str | None = None
    inventory_potencies: list[dict[str, float | str | None] | None] | None = None
    lab_results: msgspec.Raw = NOTHING
    lab_result_urls: list[str | None] | None = None
    special_id: int | str | None = None
    special_title: str | None = None
    image_urls: list[str | None] | None = None
    product_photos: list[_Photo | None] | None = None
    indexed_at: str | float | None = None
    geo: _Geo | None = msgspec.field(default=None, name="_geoloc")
    price_each: Decimal | None = None
    price_half_gram: Decimal | None = None
    price_gram: Decimal | None = None
    price_two_gram: Decimal | None = None
    price_eighth_ounce: Decimal | None = None
    price_quarter_ounce: Decimal | None = None
    price_half_ounce: Decimal | None = None
    price_ounce: Decimal | None = None
    discounted_price_each: Decimal | None = None
    discounted_price_half_gram: Decimal | None = None
    discounted_price_gram: Decimal | None = None
    discounted_price_two_gram: Decimal | None = None
    discounted_price_eighth_ounce: Decimal | None = None
    discounted_price_quarter_ounce: Decimal | None = None
    discounted_price_half_ounce: Decimal | None = None
    discounted_price_ounce: Decimal | None = None
    special_price_each: _Lowered = None
    special_price_half_gram: _Lowered = None
    special_price_gram: _Lowered = None
    special_price_two_gram: _Lowered = None
    special_price_eighth_ounce: _Lowered = None
    special_price_quarter_ounce: _Lowered = None
    special_price_half_ounce: _Lowered = None
    special_price_ounce: _Lowered = None


_PRICE_FIELDS = {w: (f"price_{w}", f"discounted_price_{w}", f"special_price_{w}") for w in WEIGHTS}
_hits = ItemDecoder(_Hit, as_given=[name for names in _PRICE_FIELDS.values() for name in names])
_lab_entries = msgspec.json.Decoder(list[_LabEntry | None], strict=False)


def parse_menu(hits: Sequence[msgspec.Raw], currency: str) -> Parsed:
    """Return the products and prices of a menu answer's hits."""
    parsed = Parsed(seen=len(hits))
    by_id: set[str] = set()
    shops: dict[str, ShopRef] = {}
    for index, raw in enumerate(hits):
        try:
            hit = _hits.decode(raw)
            product = _product(hit)
        except SchemaMismatch as error:
            parsed.skipped.append(Skipped(f"hits[{index}]", error.message))
            continue
        if product.id in by_id:
            continue
        by_id.add(product.id)
        parsed.products.append(product)
        shop = _shop(hit)
        if shop is not None:
            shops[product.id] = shop
        rows = _Rows(hit, product, currency, f"hits[{index}] {product.id}")
        parsed.prices.extend(rows.prices())
        parsed.skipped.extend(rows.skipped)
    _tell_shops(parsed, shops)
    return parsed


def _tell_shops(parsed: Parsed, shops: dict[str, ShopRef]) -> None:
    """Name the one shop of the answer; each product's where there are several, or their positions are told."""
    distinct = {ref.id for ref in shops.values()}
    if len(distinct) == 1:
        parsed.shop_id = distinct.pop()
    if len(distinct) > 1 or any(ref.lat is not None for ref in shops.values()):
        parsed.shops_of = shops


def _shop(hit: _Hit) -> ShopRef | None:
    native_id = identifier(hit.store_id)
    if native_id is None:
        return None
    at = position(hit.geo.lat, hit.geo.lng) if hit.geo else None
    key = RecordKey(DataType.DISPENSARY_INFO, ORIGIN, native_id)
    return ShopRef(key=str(key), id=native_id, lat=at[0] if at else None, lon=at[1] if at else None)


def _product(hit: _Hit) -> Product:
    native_id = identifier(hit.object_id) or identifier(hit.product_id)
    name = clip(hit.name)
    if native_id is None or name is None:
        raise SchemaMismatch("no id" if native_id is None else f"no name (id {native_id})")
    category = canonical_category(hit.kind, hit.root_subtype, hit.kind_subtype)
    strain_type = (hit.category or "").strip().lower()
    potencies = _potencies(hit, category)
    terpenes = _lab_values(hit, potencies)
    return Product(
        id=native_id,
        name=name,
        origin=ORIGIN,
        brand=clip(hit.brand),
        category=category,
        category_name=clip(hit.kind),
        subcategory=clip(hit.kind_subtype) or clip(hit.root_subtype) or clip(hit.custom_product_subtype),
        strain=clip(hit.strain),
        strain_type=strain_type if strain_type in _STRAIN_TYPES else None,
        potency=potencies,
        potency_by_variant=_potencies_by_variant(hit) if category in _SOLD_BY_POTENCY else {},
        terpenes=terpenes,
        lab=_lab(hit),
        slug=clip(hit.url_slug),
        image_url=_image(hit),
        updated_at=instant(hit.indexed_at),
    )


def _percent(value: object) -> Potency | None:
    return potency(value, value, "%") if number(value) else None


def _potencies(hit: _Hit, category: Category) -> dict[str, Potency]:
    if category not in _SOLD_BY_POTENCY:
        return {}
    told = ((analyte, _percent(getattr(hit, f"percent_{analyte}"))) for analyte in _PERCENTAGES)
    return {analyte: found for analyte, found in told if found is not None}


def _potencies_by_variant(hit: _Hit) -> dict[str, dict[str, Potency]]:
    by_label: dict[str, dict[str, Potency]] = {}
    for entry in hit.inventory_potencies or ():
        label = _weight_name(entry.get("price_id")) if entry else None
        if entry is None or label is None:
            continue
        for field, value in entry.items():
            analyte = analyte_name(field.removesuffix("_potency")) if field.endswith("_potency") else None
            found = _percent(value) if analyte else None
            if analyte and found:
                by_label.setdefault(label, {}).setdefault(analyte, found)
    return by_label


def _weight_name(value: object) -> str | None:
    """Return a weight as its label: origins write "eighth_ounce" and "eighth ounce"."""
    return value.strip().lower().replace("_", " ") if isinstance(value, str) else None


def _lab_values(hit: _Hit, potencies: dict[str, Potency]) -> tuple[Reading, ...]:
    """Return the terpenes of ``lab_results``; add cannabinoids to ``potencies`` where they lack them.

    The list is flat or grouped by variant; an entry counts only with name, value and unit.
    """
    entries: list[_LabEntry | None] = decode_field(hit.lab_results, _lab_entries) or []
    flat = [e for entry in entries if entry for e in (entry.lab_results or (entry,)) if e]
    terpenes: dict[str, Reading] = {}
    for entry in flat:
        unit = unit_text(entry.unit)
        found = reading(entry.compound_name or entry.name, entry.value, unit)
        if found is None:
            continue
        if is_terpene(found.analyte):
            terpenes.setdefault(found.analyte, found)
        content = potency(found.value, found.value, unit) if is_cannabinoid(found.analyte) else None
        if content is not None:
            potencies.setdefault(found.analyte, content)
    return tuple(terpenes.values())


def _lab(hit: _Hit) -> Lab | None:
    url = next((clip(u) for u in hit.lab_result_urls or () if u), None)
    return Lab(report_url=url) if url else None


def _image(hit: _Hit) -> str | None:
    urls = [p.urls for p in hit.product_photos or () if p and p.urls]
    photo = next((clip(u.original) or clip(u.medium) for u in urls), None)
    return photo or next((clip(u) for u in hit.image_urls or () if u), None)


class _Rows:
    """The prices of one hit: one row per weight that has a price, and per market of the store.

    ``skipped`` tells the weights whose price is no price.
    """

    def __init__(self, hit: _Hit, product: Product, currency: str, where: str) -> None:
        self.skipped: list[Skipped] = []
        self._hit = hit
        self._product = product
        self._currency = currency
        self._where = where
        self._weights = {_weight_name(w) for w in hit.available_weights or ()}
        self._special_ids = {w: _special_id(getattr(hit, _PRICE_FIELDS[w][2])) for w in WEIGHTS}

    def prices(self) -> Iterator[Price]:
        """Yield the rows, weights in rising order."""
        markets = _markets(self._hit.store_types)
        for weight in WEIGHTS:
            try:
                paid = self._paid(weight)
            except SchemaMismatch as error:
                self.skipped.append(Skipped(self._where, f"{_LABELS[weight]}: {error.message}"))
                continue
            if paid is None:
                continue
            price, regular = paid
            for market in markets:
                yield Price(
                    product_id=self._product.id,
                    variant_label=_LABELS[weight],
                    variant=self._each() if weight == "each" else amount_of(_LABELS[weight]),
                    market=market,
                    price=price,
                    list_price=regular,
                    in_stock=self._in_stock(weight),
                    promotions=self._promotions(weight),
                )

    def _paid(self, weight: str) -> tuple[Money, Money] | None:
        """Return (price, list price) of a weight, ``None`` where it is not sold so.

        Raises:
            SchemaMismatch: one of its prices is no price.
        """
        regular, discounted, special = (getattr(self._hit, name) for name in _PRICE_FIELDS[weight])
        listed = price_of(regular, self._currency)
        if listed is None:
            return None
        lower = (price_of(discounted, self._currency), price_of(_discount(special), self._currency))
        return min((listed, *(m for m in lower if m is not None)), key=lambda m: m.amount), listed

    def _each(self) -> Amount | None:
        """Return what a piece holds: its net weight, else the amount beside it, else one piece."""
        grams = number(self._hit.net_weight_grams)
        if grams and grams < 10_000:
            return Amount(grams, "g")
        return amount_of((self._hit.amount or "").strip()) or Amount(1.0, "each")

    def _in_stock(self, weight: str) -> bool | None:
        if self._hit.available_weights is None:
            return None
        if weight == "each" and not self._weights:
            most = number(self._hit.max_cart_quantity)
            return None if most is None else most > 0
        return _LABELS[weight] in self._weights

    def _promotions(self, weight: str) -> tuple[str, ...]:
        title = clip(self._hit.special_title)
        if title is None:
            return ()
        own = self._special_ids[weight]
        if own is None:
            return () if any(self._special_ids.values()) else (title,)
        return (title,) if own == identifier(self._hit.special_id) else ()


def _special_id(special: object) -> str | None:
    if isinstance(special, _Special):
        return identifier(special.special_id)
    return identifier(special.get("special_id")) if isinstance(special, dict) else None


def _discount(special: object) -> object:
    """Return the price that a special states; it may be an object, an empty one, or the price itself."""
    if isinstance(special, _Special):
        return special.discount_price
    return special.get("discount_price") if isinstance(special, dict) else special


def _markets(store_types: list[str | None] | None) -> tuple[Market, ...]:
    """Return the markets that a store sells in; adult use where it does not say."""
    told = " ".join(t.lower() for t in store_types or () if t)
    markets: list[Market] = ["rec"] if "rec" in told or "med" not in told else []
    return (*markets, "med") if "med" in told else tuple(markets)
