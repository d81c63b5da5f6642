"""Money, amounts, potency and readings, each with its unit, and the few lawful conversions.

Trade weights: retail menus sell "1/8 oz" as 3.5 g, "1/4 oz" as 7 g, "1/2 oz" as 14 g and
"1 oz" as 28 g. Amounts in ounces are stored as those grams (28 g an ounce), as every menu
origin does itself, not as 28.35 g.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import msgspec

from weedhounds.errors import SchemaMismatch

GRAMS_PER_TRADE_OUNCE = 28
_CENT = Decimal("0.01")
_MAX_MONEY = Decimal(10_000_000)
_THOUSANDS = re.compile(r",(?=\d{3}(?:\D|$))")
_MAX_LABEL = 40
_MAX_AMOUNT = 1_000_000


class Money(msgspec.Struct, frozen=True, gc=False):
    """An exact price: in JSON ``{"amount": "35.00", "currency": "USD"}``, never a float."""

    amount: Decimal
    currency: str = "USD"

    @classmethod
    def of(cls, value: object, currency: str = "USD") -> Money | None:
        """Return the price that ``value`` states, or ``None`` where it states none.

        ``None``, zero, an empty text and an empty mapping mean "not sold so" at every origin.

        Args:
            value: an int, a float, a Decimal or a text such as ``"9.95"`` or ``"$9.95"``.

        Raises:
            SchemaMismatch: the value is no price: another type, negative, not finite, absurdly large.
        """
        if value is None or value == "" or value == {} or value == []:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            raise SchemaMismatch(f"not a price: {value!r:.60}")
        text = str(value).strip().lstrip("$")
        try:
            amount = Decimal(_THOUSANDS.sub("", text) if "," in text else text)
        except InvalidOperation:
            raise SchemaMismatch(f"not a price: {value!r:.60}") from None
        if not amount.is_finite() or amount < 0 or amount >= _MAX_MONEY:
            raise SchemaMismatch(f"not a price: {value!r:.60}")
        tidy = _tidy(amount)
        return cls(tidy, currency) if tidy else None


def _tidy(amount: Decimal) -> Decimal:
    """Write at least two decimals; fold binary float noise beyond the fourth."""
    amount = round(amount, 4)
    cents = amount.quantize(_CENT)
    return cents if cents == amount else amount.normalize()


class Amount(msgspec.Struct, frozen=True, gc=False):
    """How much one unit of sale holds: ``count`` pieces of ``amount`` ``unit`` each.

    ``unit`` is ``g``, ``mg``, ``ml``, ``floz`` or ``each``; ``amount`` is per piece. "2 x 0.5 g" is
    ``(0.5, "g", 2)``; a 10-pack of unknown weight is ``(1, "each", 10)``.
    """

    amount: float
    unit: str
    count: int = 1

    @property
    def grams(self) -> float | None:
        """Return the whole weight in grams, or ``None`` where the unit is no weight."""
        if self.unit == "g":
            return self.amount * self.count
        if self.unit == "mg":
            return self.amount * self.count / 1000
        return None


class Potency(msgspec.Struct, frozen=True, gc=False):
    """A cannabinoid content as reported: a range (``low == high`` for one value) and its unit.

    ``unit`` is ``%`` (mass fraction in percent), ``mg`` or ``mg/g``. ``basis`` says what the
    content refers to where the origin tells it (``package``, ``serving``, ``dry``), else ``None``.
    """

    low: float
    high: float
    unit: str
    basis: str | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One analyte's measured value: ``value``, or ``below`` where it lies under a limit.

    ``analyte`` is the canonical name (``model.analytes``). "<0.1" is ``value=None, below=0.1``;
    "ND" (not detected, no limit given) is ``value=None, below=None``... and is still a reading.
    """

    analyte: str
    value: float | None
    unit: str
    below: float | None = None


_NUMBER = r"(?:\d+\s+\d+/\d+|\d+/\d+|\d+(?:\.\d+)?|\.\d+)"
_UNITS = {
    "g": "g", "gr": "g", "gm": "g", "gram": "g", "grams": "g",
    "mg": "mg", "milligram": "mg", "milligrams": "mg",
    "oz": "oz", "ounce": "oz", "ounces": "oz",
    "ml": "ml", "milliliter": "ml", "milliliters": "ml", "floz": "floz",
    "each": "each", "ea": "each", "unit": "each", "pc": "each", "pcs": "each", "piece": "each", "pieces": "each",
    "pk": "pack", "pack": "pack", "packs": "pack", "ct": "pack", "count": "pack",
}  # fmt: skip
_SIMPLE = re.compile(rf"({_NUMBER})\s*-?\s*(fl\.?\s*oz|[a-z]+)\.?", re.I)
_PACK = re.compile(rf"(\d+)\s*(?:x|×|pk|pack|ct)\s*[x×-]?\s*({_NUMBER})\s*(g|mg|ml|grams?)\.?", re.I)
_WORDS = {
    "half gram": 0.5, "gram": 1.0, "one gram": 1.0, "two gram": 2.0, "two grams": 2.0, "eighth": 3.5, "eighth ounce": 3.5,
    "quarter": 7.0, "quarter ounce": 7.0, "half ounce": 14.0, "ounce": 28.0, "one ounce": 28.0,
}  # fmt: skip


def _number(text: str) -> float:
    """Return the value of "3", "3.5", "1/8" or "1 1/2"; zero where a fraction has no value."""
    try:
        return float(sum(Fraction(part) for part in text.split()))
    except ZeroDivisionError:
        return 0.0


def parse_amount(label: str) -> Amount | None:
    """Return the amount that a menu label states, or ``None`` where it states none.

    Understands "1/8oz", "3.5g", ".5 g", "eighth ounce", "10pk", "2 x 0.5 g", "100mg", "1 fl oz",
    "each". A label is never guessed at: "N/A" and "King size" state no amount.

    Example:
        >>> parse_amount("1/8 oz")
        Amount(amount=3.5, unit='g', count=1)
        >>> parse_amount("2 x 0.5 g")
        Amount(amount=0.5, unit='g', count=2)
        >>> parse_amount("10pk")
        Amount(amount=1.0, unit='each', count=10)
    """
    if len(label) > _MAX_LABEL:
        return None
    text = " ".join(label.strip().lower().replace("-", " ").split())
    if text in _WORDS:
        return Amount(_WORDS[text], "g")
    if text in ("each", "ea", "unit"):
        return Amount(1.0, "each")
    pack = _PACK.fullmatch(text)
    if pack:
        return _weighed(_number(pack[2]), _UNITS[pack[3]], int(pack[1]))
    simple = _SIMPLE.fullmatch(text)
    if not simple:
        return None
    unit = _UNITS.get(simple[2].replace(".", "").replace(" ", ""))
    return None if unit is None else _weighed(_number(simple[1]), unit, 1)


def _weighed(number: float, unit: str, count: int) -> Amount | None:
    if not 0 < number <= _MAX_AMOUNT or not 0 < count <= _MAX_AMOUNT:
        return None
    if unit == "oz":
        return Amount(number * GRAMS_PER_TRADE_OUNCE, "g", count)
    if unit == "pack":
        return Amount(1.0, "each", int(number)) if number == int(number) else None
    if unit == "each":
        return Amount(1.0, "each", int(number)) if number == int(number) else None
    return Amount(number, unit, count)
