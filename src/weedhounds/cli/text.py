"""Values as a person reads them in one table cell. Texts of origins are hostile: no line breaks, no escapes."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from weedhounds.model.records import Category
from weedhounds.model.units import Amount, Money, Potency

_UNPRINTED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_AGES = ((365.25 * 86400, "y"), (86400.0, "d"), (3600.0, "h"), (60.0, "m"))


def one_line(text: str) -> str:
    """Return ``text`` in one line, without control, format or unpaired surrogate characters.

    Example:
        >>> one_line("Blue\\n\\x1b[31mDream ")
        'Blue [31mDream'
    """
    shown = text if text.isprintable() else "".join(" " if unicodedata.category(c) in _UNPRINTED else c for c in text)
    return " ".join(shown.split())


def money(value: Money | None) -> str:
    """Return a price: ``$35.00``, ``35.00 CAD``, or nothing."""
    if value is None:
        return ""
    return f"${value.amount}" if value.currency == "USD" else f"{value.amount} {value.currency}"


def amount(value: Amount | None, label: str) -> str:
    """Return how much one unit of sale holds; the origin's own label where it is no known amount."""
    if value is None:
        return one_line(label)
    if value.unit == "each":
        return "each" if value.count == 1 else f"{value.count} pack"
    one = f"{value.amount:g} {value.unit}"
    return one if value.count == 1 else f"{value.count} x {one}"


def potency(values: Mapping[str, Potency]) -> str:
    """Return the THC content as reported; the acid's, said so, where only that is."""
    for analyte, suffix in (("thc", ""), ("thca", " thca")):
        value = values.get(analyte)
        if value is not None:
            numbers = f"{value.low:g}" if value.low == value.high else f"{value.low:g}-{value.high:g}"
            return f"{numbers}{'' if value.unit == '%' else ' '}{value.unit}{suffix}"
    return ""


def age(seconds: float) -> str:
    """Return a duration in its largest fitting unit.

    Example:
        >>> [age(s) for s in (0.4, 75, 7200, 200_000, 63_072_000)]
        ['0s', '1m', '2h', '2d', '2y']
    """
    for size, unit in _AGES:
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def category(value: Category) -> str:
    """Return a category as words."""
    return value.value.replace("_", " ")


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    Example:
        >>> [counted(1, "shop"), counted(1200, "shop"), counted(2, "entry", "entries")]
        ['1 shop', '1,200 shops', '2 entries']
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def size(count: float) -> str:
    """Return a number of bytes in its largest fitting unit.

    Example:
        >>> [size(n) for n in (0, 999, 2048, 3 * 2**20, 5.5 * 2**30)]
        ['0 B', '999 B', '2.0 KiB', '3.0 MiB', '5.5 GiB']
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def time(seconds: float) -> str:
    """Return a latency with about three digits.

    Example:
        >>> [time(s) for s in (0.0000042, 0.00123, 0.25, 3.21)]
        ['4.2 us', '1.23 ms', '250 ms', '3.21 s']
    """
    for scale, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * scale < 1000:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def share(fraction: float) -> str:
    """Return a share of 0..1 in percent.

    Example:
        >>> [share(f) for f in (0, 0.9316, 1)]
        ['0.0 %', '93.2 %', '100.0 %']
    """
    return f"{fraction * 100:.1f} %"
