"""What a Weedmaps item costs: its variants, price tables and single price, reconciled.

Owns the origin's price layouts (all may stand in one item):

- ``variants[]`` ``{name, label, price{amount, currency}, weight{value, unit}, sku}``;
- A: tiers by unit, ``prices.ounce[] {label, price, on_sale, original_price}``;
- B: fixed keys, ``price_eighth: 35`` (0 means "not sold so"), also flat in the item (2014);
- C: one ``price {unit, label, price, on_sale, original_price}``.

Measured over the 10,041 recorded items: wherever a variant and ``prices`` state the same weight
(4,632 times) the prices are equal, so they are one offer; the variant's exact text is kept. 309
weights stand only in variants (1.25 g, 3 g ...), 10 prices a piece only in ``prices``.

A sale of the JSON:API layout (``sale {amount, type}``, 157 items) comes on top of these prices:
they are the same with it and without, in round amounts, and at one chain 8.00 where sister
shops without the sale list 6.00 (25 %). The reduced price does not stand in the answer, so it is
no Money here; the sale becomes a promotion's name. In layouts A and C ``price`` is what is paid
and ``original_price`` the regular price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.units import Amount, Money
from weedhounds.sources import wire
from weedhounds.sources.base import Skipped, clip

FIXED_KEYS: Mapping[str, tuple[str, Amount]] = {
    "unit": ("each", Amount(1.0, "each")),
    "half_gram": ("1/2 g", Amount(0.5, "g")),
    "gram": ("1 g", Amount(1.0, "g")),
    "two_grams": ("2 g", Amount(2.0, "g")),
    "eighth": ("1/8 oz", Amount(3.5, "g")),
    "quarter": ("1/4 oz", Amount(7.0, "g")),
    "half_ounce": ("1/2 oz", Amount(14.0, "g")),
    "ounce": ("1 oz", Amount(28.0, "g")),
}
"""Label and amount of layout B's keys, without their prefix ``price_``; the labels are the variants' own."""

_PREFIXED = {prefix + key: row for key, row in FIXED_KEYS.items() for prefix in ("price_", "")}
_EACH = frozenset({"each", "unit"})

MAX_ROWS = 100
"""Most variants, and most tiers of one unit, that are read of an item (7 were recorded)."""


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which an item is sold; ``name`` and ``sku`` tell rows of one label apart."""

    label: str
    amount: Amount | None
    price: Money
    list_price: Money
    quantity: float | None = None
    name: str | None = None
    sku: str | None = None


class PriceReader:
    """Reads the prices of one item; a price that is none is skipped and noted.

    Args:
        currency: of prices that state none.
        place: the item's place in the answer.
        skipped: where broken prices are noted.
    """

    def __init__(self, currency: str, place: str, skipped: list[Skipped]) -> None:
        self._currency = currency
        self._place = place
        self._skipped = skipped

    def rows(
        self, *, variants: object, prices: object, single: object = None, quantity: float | None = None
    ) -> list[PriceRow]:
        """Return the ways in which the item is sold, each once, with labels that differ.

        Args:
            variants: the field of that name, as given.
            prices: layout A or B, as given.
            single: layout C, as given.
            quantity: units in stock of the whole item; of rows that state none themselves.
        """
        found = self._variants(variants) if variants else []
        stated = self._stated(prices, quantity) if isinstance(prices, dict) else []
        if isinstance(single, dict):
            one = self._tier(single, str(single.get("unit") or "price"), quantity)
            stated = _merged(stated, [one] if one else [])
        return _distinct(_merged(found, stated) if found else stated)

    def _variants(self, variants: object) -> list[PriceRow]:
        if not isinstance(variants, list):
            self._note("variants", "no list")
            return []
        return [row for i, v in enumerate(variants[:MAX_ROWS]) if (row := self._variant(v, f"variants[{i}]"))]

    def _variant(self, variant: object, where: str) -> PriceRow | None:
        if not isinstance(variant, dict):
            self._note(where, "no object")
            return None
        name, label = wire.label_text(variant.get("name")), wire.label_text(variant.get("label"))
        amount = _weight(either(variant, "weight")) or wire.amount_of(label or name or "")
        label = label or name or (f"{amount.amount:g} {amount.unit}" if amount else None)
        price = self._money(variant.get("price"), where)
        if price is None or label is None:
            return None
        return PriceRow(
            label=label,
            amount=amount,
            price=price,
            list_price=price,
            quantity=wire.number(either(variant, "inventory_quantity")),
            name=name,
            sku=wire.label_text(variant.get("sku")),
        )

    def _stated(self, prices: dict[str, object], quantity: float | None) -> list[PriceRow]:
        rows = []
        for key, value in list(prices.items())[:MAX_ROWS]:
            if not value:
                continue
            if isinstance(value, list):
                rows += [row for tier in value[:MAX_ROWS] if (row := self._tier(tier, key, quantity))]
            elif key in _PREFIXED:
                label, amount = _PREFIXED[key]
                rows += self._fixed(label, amount, value, quantity=quantity)
            elif key in ("prices_other", "other") and isinstance(value, dict):
                for label, price in list(value.items())[:MAX_ROWS]:
                    rows += self._fixed(label, wire.amount_of(label), price, quantity=quantity)
        return rows

    def _fixed(self, label: str, amount: Amount | None, value: object, *, quantity: float | None) -> Iterable[PriceRow]:
        price = self._money(value, f"prices {label[:40]}")
        text = clip(label)
        if price is not None and text is not None:
            yield PriceRow(label=text, amount=amount, price=price, list_price=price, quantity=quantity)

    def _tier(self, tier: object, key: str, quantity: float | None) -> PriceRow | None:
        if not isinstance(tier, dict):
            self._note(f"prices.{key[:40]}", "no object")
            return None
        label = wire.label_text(tier.get("label")) or ("each" if key in _EACH else None)
        where = f"prices.{key[:40]} {label or ''}".rstrip()
        price = self._money(tier.get("price"), where)
        if price is None:
            return None
        if label is None:
            self._note(where, "a price without a label")
            return None
        regular = self._money(either(tier, "original_price"), where) if either(tier, "on_sale") is True else None
        is_special = regular is not None and regular.currency == price.currency and regular.amount > price.amount
        return PriceRow(
            label=label,
            amount=wire.amount_of(label) or (Amount(1.0, "each") if key in _EACH else None),
            price=price,
            list_price=regular if regular is not None and is_special else price,
            quantity=quantity,
        )

    def _money(self, value: object, where: str) -> Money | None:
        try:
            if isinstance(value, dict):
                currency = _currency(value.get("currency"), self._currency)
                return Money.of(value.get("amount", value.get("price")), currency)
            return Money.of(value, self._currency)
        except SchemaMismatch as error:
            self._note(where, str(error))
            return None

    def _note(self, where: str, why: str) -> None:
        self._skipped.append(Skipped(f"{self._place} {where}", why))


def either(given: Mapping[str, object], name: str) -> object:
    """Return a field of the origin's snake-case name, or of its camel-case one (pages of the site)."""
    value = given.get(name)
    return given.get(_camel(name)) if value is None else value


@lru_cache(maxsize=256)
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _currency(stated: object, default: str) -> str:
    if stated is None or stated == "":
        return default
    if isinstance(stated, str) and len(stated) == 3 and stated.isascii() and stated.isalpha():
        return stated.upper()
    raise SchemaMismatch(f"not a currency: {stated!r:.40}")


def _weight(weight: object) -> Amount | None:
    if not isinstance(weight, dict):
        return None
    value, unit = weight.get("value"), weight.get("unit")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str) or not isinstance(unit, str):
        return None
    return wire.amount_of(f"{value} {unit}")


def _same(row: PriceRow) -> object:
    """Return what two statements of one offer have in common: the amount, else the label."""
    if row.amount is None:
        return row.label.lower()
    return row.amount.unit, round(row.amount.amount, 6), row.amount.count


def _merged(strong: list[PriceRow], weak: list[PriceRow]) -> list[PriceRow]:
    known = {_same(row) for row in strong}
    return strong + [row for row in weak if _same(row) not in known]


def _distinct(rows: list[PriceRow]) -> list[PriceRow]:
    """Return the rows with labels that differ; a row that repeats another identically is left out."""
    if len(rows) < 2:
        return rows
    kept: dict[str, PriceRow] = {}
    for row in rows:
        others = [o for o in kept.values() if o.label.startswith(row.label)]
        if any(
            (o.price, o.list_price, o.amount, o.sku, o.name)
            == (row.price, row.list_price, row.amount, row.sku, row.name)
            for o in others
        ):
            continue
        label = row.label
        for extra in (row.name, row.sku, str(row.price.amount), f"#{len(kept)}"):
            if label not in kept:
                break
            if extra and extra != row.label:
                label = f"{row.label} ({extra})"
        kept[label] = msgspec.structs.replace(row, label=label)
    return list(kept.values())
