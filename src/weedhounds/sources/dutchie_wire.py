"""Dutchie's consumer menus (``FilteredProducts``) as records.

What was decided from recorded answers:

- Price lists run parallel to ``Options``. ``Prices`` repeats the list of the market that was asked
  for, so it stands in only where both ``recPrices`` and ``medicalPrices`` are empty.
- ``measurements.netWeight`` is *not* parallel to ``Options``: it also counts variants that are
  sold out and left out of ``Options`` (recorded: options ``["28g"]``, net weight 3,500 mg). For
  edibles it repeats the THC dose. It is used only where the label states no amount, the product
  is sold by weight, and options, net weights and stock lines are equally many.
- An option "100mg" of an edible is its dose. The amount stays what the label says.
- A potency of 0 is kept: ranges such as ``[0, 1]`` are measured or declared values. Over 100 % is
  dropped. The bare numbers ``THC`` and ``CBD`` state no unit and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Category, Market, Price, Product, ShopRef
from weedhounds.model.units import Amount, Potency, Reading
from weedhounds.sources.base import Parsed, Skipped, clip
from weedhounds.sources.categories import canonical_category
from weedhounds.sources.wire import (
    ItemDecoder,
    amount_of,
    analyte_name,
    identifier,
    instant,
    label_text,
    number,
    potency,
    price_of,
    reading,
    unit_text,
)

ORIGIN = "dutchie"
NO_OPTION = "N/A"
"""The label that the origin itself gives a product without options."""

_SOLD_BY_WEIGHT = frozenset({Category.FLOWER, Category.PRE_ROLL, Category.VAPE, Category.CONCENTRATE})
_STRAIN_TYPES = {"indica": "indica", "sativa": "sativa", "hybrid": "hybrid", "high cbd": "cbd", "cbd": "cbd"}
_GRAMS_PER = {"mg": 0.001, "g": 1.0, "grams": 1.0}

Prices = list[Decimal | None] | None


class WireStruct(msgspec.Struct, rename="camel", gc=False):
    """Base of the wire structs: unknown fields are ignored."""


class _Content(WireStruct):
    unit: str | None = None
    range: list[float | str | None] | None = None


class _Child(WireStruct):
    option: str | None = None
    quantity: float | None = None
    quantity_available: float | None = None


class _PosMetaData(WireStruct):
    canonical_category: str | None = None
    children: list[_Child | None] | None = None


class _NetWeight(WireStruct):
    unit: str | None = None
    values: list[float | None] | None = None


class _Measurements(WireStruct):
    net_weight: _NetWeight | None = None


class _Special(WireStruct):
    special_name: str | None = None
    menu_type: str | None = None


class _SpecialData(WireStruct):
    sale_specials: list[_Special | None] | None = None
    bogo_specials: list[_Special | None] | None = None


class _Named(WireStruct):
    name: str | None = None


class _Image(WireStruct):
    url: str | None = None


class _Analyte(WireStruct):
    name: str | None = None
    value: float | str | None = None
    unit: str | None = None
    cannabinoid: _Named | None = None
    library_terpene: _Named | None = None


class _Item(WireStruct):
    key: str | int | None = msgspec.field(default=None, name="_id")
    id: str | int | None = None
    name: str | None = msgspec.field(default=None, name="Name")
    c_name: str | None = None
    type: str | None = None
    subcategory: str | None = None
    strain_type: str | None = None
    dispensary_id: str | int | None = msgspec.field(default=None, name="DispensaryID")
    brand: _Named | None = None
    brand_name: str | None = None
    options: list[str | None] | None = msgspec.field(default=None, name="Options")
    raw_options: list[str | None] | None = None
    prices: Prices = msgspec.field(default=None, name="Prices")
    rec_prices: Prices = None
    medical_prices: Prices = None
    rec_special_prices: Prices = None
    medical_special_prices: Prices = None
    medical_only: bool | None = None
    rec_only: bool | None = None
    special_data: _SpecialData | None = None
    thc_content: _Content | None = msgspec.field(default=None, name="THCContent")
    cbd_content: _Content | None = msgspec.field(default=None, name="CBDContent")
    cannabinoids_v2: list[_Analyte | None] | None = None
    terpenes: list[_Analyte | None] | None = None
    measurements: _Measurements | None = None
    pos_meta_data: _PosMetaData | None = msgspec.field(default=None, name="POSMetaData")
    is_below_threshold: bool | None = None
    options_below_threshold: list[str | None] | None = None
    image: str | None = msgspec.field(default=None, name="Image")
    images: list[_Image | None] | None = None
    created_at: str | float | None = None
    updated_at: str | float | None = None


_PRICE_LISTS = ("prices", "rec_prices", "medical_prices", "rec_special_prices", "medical_special_prices")
_items = ItemDecoder(_Item, as_given=(*_PRICE_LISTS, "options", "raw_options"))


def parse_menu(products: Sequence[msgspec.Raw], currency: str) -> Parsed:
    """Return the products and prices of a menu answer's items."""
    parsed = Parsed(seen=len(products))
    by_id: set[str] = set()
    shops: dict[str, str] = {}
    for index, raw in enumerate(products):
        try:
            item = _items.decode(raw)
            product = _product(item)
        except SchemaMismatch as error:
            parsed.skipped.append(Skipped(f"products[{index}]", error.message))
            continue
        if product.id in by_id:
            continue
        by_id.add(product.id)
        parsed.products.append(product)
        shop = identifier(item.dispensary_id)
        if shop is not None:
            shops[product.id] = shop
        rows = _Rows(item, product, currency, f"products[{index}] {product.id}")
        parsed.prices.extend(rows.prices())
        parsed.skipped.extend(rows.skipped)
    _tell_shops(parsed, shops)
    return parsed


def _tell_shops(parsed: Parsed, shops: dict[str, str]) -> None:
    """Name the one shop of the answer, or else each product's."""
    distinct = set(shops.values())
    if len(distinct) == 1:
        parsed.shop_id = distinct.pop()
        return
    refs = {s: ShopRef(key=str(RecordKey(DataType.DISPENSARY_INFO, ORIGIN, s)), id=s) for s in distinct}
    parsed.shops_of = {product: refs[shop] for product, shop in shops.items()}


def _product(item: _Item) -> Product:
    native_id = identifier(item.key) or identifier(item.id)
    name = clip(item.name)
    if native_id is None or name is None:
        raise SchemaMismatch("no id" if native_id is None else f"no name (id {native_id})")
    pos = item.pos_meta_data
    return Product(
        id=native_id,
        name=name,
        origin=ORIGIN,
        brand=clip(item.brand_name) or clip(item.brand.name if item.brand else None),
        category=canonical_category(item.type, item.subcategory, pos.canonical_category if pos else None),
        category_name=clip(item.type),
        subcategory=clip(item.subcategory),
        strain_type=_STRAIN_TYPES.get((item.strain_type or "").strip().lower()),
        potency=_potencies(item),
        terpenes=_terpenes(item.terpenes),
        slug=clip(item.c_name),
        image_url=clip(item.image) or next((clip(i.url) for i in item.images or () if i and i.url), None),
        updated_at=instant(item.updated_at) or instant(item.created_at),
    )


def _potencies(item: _Item) -> dict[str, Potency]:
    found: dict[str, Potency] = {}
    for analyte, content in (("thc", item.thc_content), ("cbd", item.cbd_content)):
        values = [v for v in (content.range or () if content else ()) if number(v) is not None]
        told = potency(values[0], values[-1], unit_text(content.unit)) if content and values else None
        if told is not None:
            found[analyte] = told
    for entry in item.cannabinoids_v2 or ():
        if entry is None:
            continue
        name = analyte_name(entry.cannabinoid.name if entry.cannabinoid else entry.name)
        told = potency(entry.value, entry.value, unit_text(entry.unit))
        if name is not None and told is not None:
            found.setdefault(name, told)
    return found


def _terpenes(entries: list[_Analyte | None] | None) -> tuple[Reading, ...]:
    told = (
        reading(e.library_terpene.name if e.library_terpene else e.name, e.value, unit_text(e.unit))
        for e in entries or ()
        if e is not None
    )
    return tuple(r for r in told if r is not None)


class _Rows:
    """The prices of one product: one row per option and market that has a price.

    ``skipped`` tells the variants whose price is no price.
    """

    def __init__(self, item: _Item, product: Product, currency: str, where: str) -> None:
        self.skipped: list[Skipped] = []
        self._item = item
        self._product = product
        self._currency = currency
        self._where = where
        self._options = _as_list(item.options) or _as_list(item.raw_options)

    def prices(self) -> Iterator[Price]:
        """Yield the rows, each market's options in their order."""
        for market, name, regular, special in self._lists():
            odd = [v for v in (regular, special) if v is not None and not isinstance(v, list)]
            if odd:
                self._skip(f"{name} is no list of prices: {odd[0]!r:.60}")
            if odd or not isinstance(regular, list):
                continue
            taken: set[str] = set()
            for index, value in enumerate(regular):
                row = self._row(market, name, index, value, _at(special, index))
                if row is None:
                    continue
                if row.variant_label in taken:
                    self._skip(f"{name}[{index}]: option {row.variant_label} is repeated")
                    continue
                taken.add(row.variant_label)
                yield row

    def _lists(self) -> Iterator[tuple[Market, str, object, object]]:
        item = self._item
        rec, med = item.rec_prices, item.medical_prices
        rec_name, med_name = "recPrices", "medicalPrices"
        if not rec and not med and item.prices:
            if item.medical_only:
                med, med_name = item.prices, "Prices"
            else:
                rec, rec_name = item.prices, "Prices"
        if not item.medical_only:
            yield "rec", rec_name, rec, item.rec_special_prices
        if not item.rec_only:
            yield "med", med_name, med, item.medical_special_prices

    def _row(self, market: Market, name: str, index: int, value: object, special: object) -> Price | None:
        try:
            regular = price_of(value, self._currency)
            lower = price_of(special, self._currency) if regular else None
        except SchemaMismatch as error:
            self._skip(f"{name}[{index}]: {error.message}")
            return None
        if regular is None:
            return None
        label = self._label(index)
        if label is None:
            self._skip(f"{name}[{index}]: a price without its option")
            return None
        quantity, in_stock = self._stock(label, index)
        return Price(
            product_id=self._product.id,
            variant_label=label,
            variant=amount_of(label) or self._net_weight(index),
            market=market,
            price=lower if lower is not None and lower.amount < regular.amount else regular,
            list_price=regular,
            in_stock=in_stock,
            quantity=quantity,
            promotions=_promotions(self._item.special_data, market),
        )

    def _skip(self, why: str) -> None:
        self.skipped.append(Skipped(self._where, why))

    def _label(self, index: int) -> str | None:
        if not self._options:
            return NO_OPTION if index == 0 else None
        return label_text(_at(self._options, index))

    def _children(self) -> list[_Child]:
        pos = self._item.pos_meta_data
        return [c for c in (pos.children or () if pos else ()) if c is not None]

    def _stock(self, label: str, index: int) -> tuple[float | None, bool | None]:
        """Return (units, in stock) of an option: its stock lines summed, else the thresholds' word."""
        names = (label, label_text(_at(self._item.raw_options, index)))
        lines = [c for c in self._children() if c.option is not None and c.option.strip() in names]
        counts = [c.quantity if c.quantity_available is None else c.quantity_available for c in lines]
        told = [max(0.0, n) for n in counts if n is not None and abs(n) < 1e9]
        if told:
            return sum(told), sum(told) > 0
        below = self._item.is_below_threshold or label in (self._item.options_below_threshold or ())
        return None, False if below else None

    def _net_weight(self, index: int) -> Amount | None:
        weight = self._item.measurements.net_weight if self._item.measurements else None
        if weight is None or self._product.category not in _SOLD_BY_WEIGHT:
            return None
        values = weight.values or []
        if len(values) != len(self._options) or len(self._children()) > len(self._options):
            return None
        grams_per = _GRAMS_PER.get(unit_text(weight.unit) or "")
        value = number(_at(values, index))
        if grams_per is None or not value or value * grams_per > 10_000:
            return None
        return Amount(round(value * grams_per, 6), "g")


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _at(values: object, index: int) -> object:
    """Return the element of a parallel list; ``None`` past its end and where there is no list."""
    return values[index] if isinstance(values, list) and index < len(values) else None


def _promotions(data: _SpecialData | None, market: Market) -> tuple[str, ...]:
    """Return the names of the specials that hold in ``market``."""
    if data is None:
        return ()
    specials = [*(data.sale_specials or ()), *(data.bogo_specials or ())]
    other = "med" if market == "rec" else "rec"
    names = (clip(s.special_name) for s in specials if s and not (s.menu_type or "").lower().startswith(other))
    return tuple(dict.fromkeys(n for n in names if n))
