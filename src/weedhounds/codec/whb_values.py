"""The values of ``whb`` and their compact forms: numbers, money, potencies, readings. Exact both ways.

Whatever cannot be written compactly and read back as the very same value (a float of more digits,
a negative zero, a name that holds a separator) is written as it is. NaN and infinities are refused:
they would not come back equal. What is read is hostile: it becomes a value or ``Corrupt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from math import copysign, isfinite

from weedhounds.codec.columns import base_slug
from weedhounds.codec.whb_wire import Cash, Id, LabRow, Num
from weedhounds.errors import Corrupt
from weedhounds.model.records import Lab
from weedhounds.model.units import Amount, Money

DEGREE = 10_000_000
"""Degrees are counted in ten-millionths (a centimetre): what origins give."""

NAME_MARK, BRAND_MARK = "\0", "\1"
"""In a slug: the slug of its name, and of its brand."""

LEAST_BASE = 3
"""Shorter slugs of names are not cut out: they would be found anywhere."""

DEFAULT_CURRENCY = "USD"
SHOP_KEY = "dispensary_info:"
"""What the key of a shop begins with."""

MOST_SCALED = 1e12
"""Larger numbers are written as floats; their hundredths would not be exact anyway."""

_MOST_DIGITS = 18
_HEX = re.compile(r"[0-9a-f]{8,32}")
_MOST_CASH_CHARS = 16
MOST_MEMOISED_CHARS = 256
"""Longer texts are worked on anew each time, so that the memos stay small."""

MEMOISED_SLUGS = 32768
"""Slugs that each of two memos holds, the latest: some 300 bytes each with name and brand, 10 MB a memo."""


def pack_num(number: float) -> Num:
    """Return hundredths, minus ten-thousandths, or the number itself.

    Raises:
        Corrupt: NaN or infinite.

    Example:
        >>> pack_num(27.55), pack_num(0.8051), pack_num(1e-9)
        (2755, -8051, 1e-09)
    """
    scaled = hundredths(number)
    if scaled:
        return scaled
    if scaled == 0:
        return 0 if copysign(1.0, number) > 0 else number
    if 0.0 < number < MOST_SCALED:
        scaled = -round(number * 10_000)
        if scaled and scaled / -10_000 == number:
            return scaled
    return _finite(float(number))


@lru_cache(maxsize=16384)
def hundredths(number: float | None) -> int | None:
    """Return a number's hundredths, or ``None`` where it has more digits, is negative or none at all.

    Memoised: menus and laboratories tell few different numbers. Negative zero, which a memo cannot
    tell from zero, is the caller's to look for.
    """
    if number is None or not 0.0 <= number < MOST_SCALED:
        return None
    scaled = round(number * 100)
    return scaled if scaled / 100 == number else None


def num(packed: Num) -> float:
    """Return the number that :func:`pack_num` packed.

    Raises:
        Corrupt: NaN or infinite.
    """
    if packed.__class__ is int:
        return packed / 100 if packed >= 0 else packed / -10_000
    return _finite(packed)


def pack_optional(number: float | None) -> Num | None:
    """Return :func:`pack_num` of a number that may be missing."""
    return None if number is None else pack_num(number)


def optional(packed: Num | None) -> float | None:
    """Return :func:`num` of what may be missing."""
    return None if packed is None else num(packed)


def pack_time(seconds: float | None) -> Num | None:
    """Return whole seconds, minus whole milliseconds, or the float itself."""
    if seconds is None:
        return None
    if 0.0 < seconds < MOST_SCALED:
        scaled = round(seconds)
        if scaled == seconds:
            return scaled
        scaled = -round(seconds * 1000)
        if scaled / -1000 == seconds:
            return scaled
    return _finite(float(seconds))


def time(packed: Num | None) -> float | None:
    """Return the Unix seconds that :func:`pack_time` packed."""
    if packed is None:
        return None
    if packed.__class__ is int:
        return float(packed) if packed >= 0 else packed / -1000
    return _finite(packed)


def pack_degrees(degrees: float | None) -> Num | None:
    """Return ten-millionths of a degree, or the float itself."""
    if degrees is None:
        return None
    if -360.0 <= degrees <= 360.0:
        scaled = round(degrees * DEGREE)
        if scaled and scaled / DEGREE == degrees:
            return scaled
    return _finite(float(degrees))


def degrees(packed: Num | None) -> float | None:
    """Return the degrees that :func:`pack_degrees` packed."""
    if packed is None:
        return None
    return packed / DEGREE if packed.__class__ is int else _finite(packed)


def _finite(number: float) -> float:
    if not isfinite(number):
        raise Corrupt("holds a number that is none (NaN or infinite)")
    return number


def pack_cash(text: str) -> Cash:
    """Return the cents of an amount's text that has exactly two decimals, else the text.

    Raises:
        Corrupt: not finite.

    Example:
        >>> pack_cash("35.00"), pack_cash("35"), pack_cash("-1.25")
        (3500, '35', '-1.25')
    """
    return cash_of(text) if len(text) < MOST_MEMOISED_CHARS else cash_of.__wrapped__(text)


@lru_cache(maxsize=8192)
def cash_of(text: str) -> Cash:
    """Return cents, or the text; memoised, for a menu has few prices."""
    if text[-3:-2] == "." and len(text) <= _MOST_CASH_CHARS:
        digits = text[:-3] + text[-2:]
        if digits.isdigit():
            return int(digits)
    if not Decimal(text).is_finite():
        raise Corrupt("holds an amount that is none (NaN or infinite)")
    return text


def money(packed: Cash, currency: str) -> Money:
    """Return the money that :func:`pack_cash` packed.

    Raises:
        Corrupt: no amount.
    """
    if packed.__class__ is not int:
        return _priced(packed, currency)  # type: ignore[arg-type]
    make = cents_money if len(currency) < MOST_MEMOISED_CHARS else cents_money.__wrapped__
    return make(packed, currency)


@lru_cache(maxsize=8192)
def cents_money(cents: int, currency: str) -> Money:
    """Return cents as money; memoised, for a menu has few prices: a third of the time of making one."""
    if cents < 0:
        raise Corrupt("negative cents")
    return Money(Decimal(f"{cents // 100}.{cents % 100:02}"), currency)


def _priced(text: str, currency: str) -> Money:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise Corrupt(f"not an amount: {text:.40}") from None
    if not amount.is_finite():
        raise Corrupt("holds an amount that is none (NaN or infinite)")
    return Money(amount, currency)


def pack_amount(amount: Amount | None) -> str | None:
    """Return number, count and unit as text.

    Example:
        >>> pack_amount(Amount(3.5, "g"))
        '350 1 g'
    """
    if amount is None:
        return None
    return _amount_text(amount) if amount.amount else _amount_text.__wrapped__(amount)


@lru_cache(maxsize=4096)
def _amount_text(amount: Amount) -> str:
    """Return an amount's text; memoised but for zero, which a memo cannot tell from negative zero."""
    return f"{pack_num(amount.amount)} {amount.count} {amount.unit}"


def amount(packed: str | None) -> Amount | None:
    """Return the amount that :func:`pack_amount` packed.

    Raises:
        Corrupt: no amount.
    """
    if packed is None:
        return None
    return _amount(packed) if len(packed) < MOST_MEMOISED_CHARS else _amount.__wrapped__(packed)


@lru_cache(maxsize=4096)
def _amount(text: str) -> Amount:
    """Return the amount of a text; memoised, for menus have few."""
    parts = text.split(" ", 2)
    try:
        number, count, unit = parts
        return Amount(num(int(number) if number.lstrip("-").isdigit() else float(number)), unit, int(count))
    except ValueError:
        raise Corrupt(f"not an amount: {text:.40}") from None


def pack_id(text: str) -> Id:
    """Return a native id as the number or the bytes that its digits spell, if they can be spelt again.

    Example:
        >>> pack_id("4711"), pack_id("0815"), pack_id("6455f0b1"), pack_id("Az")
        (4711, '0815', (b'dU\xf0\xb1',), 'Az')
    """
    if len(text) <= _MOST_DIGITS and text.isdecimal() and text.isascii():
        return int(text) if text[0] != "0" or text == "0" else text
    return (bytes.fromhex(text),) if _HEX.fullmatch(text) and not len(text) & 1 else text


def native_id(packed: Id) -> str:
    """Return the id that :func:`pack_id` packed."""
    if packed.__class__ is int:
        return str(packed)
    return packed if isinstance(packed, str) else packed[0].hex()  # type: ignore[index]


class HasMark(ValueError):
    """A slug holds a mark itself: it cannot be cut."""


@lru_cache(maxsize=MEMOISED_SLUGS)
def cut_slug(slug: str | None, name: str, brand: str | None) -> str | None:
    """Return a slug with the slugs of its name and (at the beginning) brand replaced by marks.

    Memoised, as :func:`fill_slug`: a menu is written and read again with nearly the same products.
    Callers pass texts that are long to the function itself.

    Raises:
        HasMark: the slug holds one.
    """
    if slug is None:
        return None
    if NAME_MARK in slug or BRAND_MARK in slug:
        raise HasMark(slug)
    base = base_slug.__wrapped__(name)
    if slug == base:
        return NAME_MARK
    if len(base) >= LEAST_BASE:
        slug = slug.replace(base, NAME_MARK, 1)
    start = base_slug(brand) if brand and len(brand) < MOST_MEMOISED_CHARS else ""
    return BRAND_MARK + slug[len(start) :] if len(start) >= LEAST_BASE and slug.startswith(start) else slug


@lru_cache(maxsize=MEMOISED_SLUGS)
def fill_slug(slug: str | None, name: str, brand: str | None) -> str | None:
    """Return the slug that :func:`cut_slug` cut; each mark is filled in once, the name's first."""
    if slug is None:
        return None
    if NAME_MARK in slug:
        slug = slug.replace(NAME_MARK, base_slug.__wrapped__(name), 1)
    if BRAND_MARK in slug:
        slug = slug.replace(BRAND_MARK, base_slug.__wrapped__(brand or ""), 1)
    return slug


def are_short(*columns: Iterable[str | None]) -> bool:
    """Tell whether all texts are short enough to be memoised."""
    return max(map(len, filter(None, chain.from_iterable(columns))), default=0) < MOST_MEMOISED_CHARS


def pack_slug(slug: str | None, name: str, brand: str | None = None) -> str | list[str] | None:
    """Return a slug with the slugs of its name and (at the beginning) brand replaced by marks; whole in a list of one."""
    if slug is None:
        return None
    if NAME_MARK in slug or BRAND_MARK in slug:
        return [slug]
    if len(name) >= MOST_MEMOISED_CHARS:
        name = ""
    if brand is not None and len(brand) >= MOST_MEMOISED_CHARS:
        brand = None
    return cut_slug(slug, name, brand) if len(slug) < MOST_MEMOISED_CHARS else cut_slug.__wrapped__(slug, name, brand)


def slug(packed: str | list[str] | None, name: str, brand: str | None = None) -> str | None:
    """Return the slug that :func:`pack_slug` packed; each mark is filled in once.

    Raises:
        Corrupt: no slug, or a mark for a name that is too long to be marked.
    """
    if packed is None:
        return None
    if isinstance(packed, list):
        if len(packed) != 1:
            raise Corrupt("not a slug")
        return packed[0]
    if NAME_MARK in packed:
        packed = packed.replace(NAME_MARK, _base(name), 1)
    if BRAND_MARK in packed:
        packed = packed.replace(BRAND_MARK, _base(brand or ""), 1)
    return packed


def _base(name: str) -> str:
    if len(name) >= MOST_MEMOISED_CHARS:
        raise Corrupt("a mark for a name that is too long to be marked")
    return base_slug(name)


def shop_key(origin: str, shop_id: str) -> str:
    """Return the key that a shop has unless its row tells another: that of ids which need no escaping."""
    return f"{SHOP_KEY}{origin}:{shop_id}"


def pack_lab(lab: Lab | None) -> LabRow | None:
    """Return the fields of a menu's laboratory facts."""
    return None if lab is None else (lab.laboratory, lab.tested_at, lab.batch, lab.report_url)


def lab(packed: LabRow | None) -> Lab | None:
    """Return the laboratory facts that :func:`pack_lab` packed."""
    if packed is None:
        return None
    laboratory, tested_at, batch, report_url = packed
    return Lab(laboratory=laboratory, tested_at=tested_at, batch=batch, report_url=report_url)
