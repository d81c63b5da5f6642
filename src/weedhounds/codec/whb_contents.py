"""Contents and readings of ``whb`` rows: potencies by analyte, laboratory values side by side. Exact both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import copysign

from weedhounds.codec.whb_values import (
    MOST_MEMOISED_CHARS,
    MOST_SCALED,
    hundredths,
    num,
    optional,
    pack_num,
    pack_optional,
)
from weedhounds.codec.whb_wire import Analytes, Num, ReadingsRow
from weedhounds.errors import Corrupt
from weedhounds.model.units import Potency, Reading

_PAIR, _FIELD = "\n", "\0"
_MOST_PANEL_CHARS = 1024

_BOTH = -3
"""Marks a reading that has both a value and a limit, which the compact form cannot tell."""


def pack_potency(potency: dict[str, Potency]) -> tuple[list[Num], Analytes | None]:
    """Return the numbers (low of each, or low and high of each) and the analytes of a content."""
    if not potency:
        return [], None
    texts: list[str | None] = []
    numbers: list[Num] = []
    is_range = False
    for name, p in potency.items():
        texts.append(_analyte(name, p.unit, p.basis))
        low = high = hundredths(p.low) or pack_num(p.low)
        if p.high is not p.low:
            high = hundredths(p.high) or pack_num(p.high)
            is_range = is_range or low != high or low.__class__ is not high.__class__
        numbers += (low, high)
    analytes: Analytes = (
        [(name, p.unit, p.basis) for name, p in potency.items()] if None in texts else _PAIR.join(texts)  # type: ignore[arg-type]
    )
    return numbers if is_range else numbers[::2], analytes


@lru_cache(maxsize=1024)
def _analyte(name: str, unit: str, basis: str | None) -> str | None:
    """Return the joined text of one analyte, or ``None`` where a part holds a separator."""
    parts = (name, unit) if basis is None else (name, unit, basis)
    text = _FIELD.join(parts)
    if _PAIR in text or text.count(_FIELD) != len(parts) - 1 or len(text) > MOST_MEMOISED_CHARS:
        return None
    return text


def _split(text: str) -> tuple[tuple[str, str, str | None], ...] | None:
    return _split_analytes(text) if len(text) < MOST_MEMOISED_CHARS else _split_analytes.__wrapped__(text)


@lru_cache(maxsize=1024)
def _split_analytes(text: str) -> tuple[tuple[str, str, str | None], ...] | None:
    """Return analyte, unit and basis of joined text; memoised, for there are few combinations."""
    parts = [part.split(_FIELD) for part in text.split(_PAIR)]
    if not all(2 <= len(part) <= 3 for part in parts):
        return None
    return tuple((part[0], part[1], part[2] if len(part) == 3 else None) for part in parts)


def potencies(numbers: Sequence[Num], analytes: Analytes | None) -> dict[str, Potency]:
    """Return the content that :func:`pack_potency` packed.

    One and two analytes, which is what menus tell, are unrolled: a loop takes twice as long.

    Raises:
        Corrupt: another number of numbers than analytes ask for.
    """
    if analytes is None:
        return {}
    names = _split(analytes) if isinstance(analytes, str) else analytes
    if names is None or (len(numbers) != len(names) and len(numbers) != 2 * len(names)):
        raise Corrupt("potencies do not fit their analytes")
    n = numbers[0]
    first = n / 100 if n.__class__ is int and n >= 0 else num(n)
    if len(numbers) == 1:
        ((analyte, unit, basis),) = names
        return {analyte: Potency(first, first, unit, basis)}
    n = numbers[1]
    second = n / 100 if n.__class__ is int and n >= 0 else num(n)
    if len(numbers) == 2 == len(names):
        (analyte, unit, basis), (other, other_unit, other_basis) = names
        return {
            analyte: Potency(first, first, unit, basis),
            other: Potency(second, second, other_unit, other_basis),
        }
    if len(numbers) == 2:
        ((analyte, unit, basis),) = names
        return {analyte: Potency(first, second, unit, basis)}
    if len(numbers) == 4 and len(names) == 2:
        (analyte, unit, basis), (other, other_unit, other_basis) = names
        return {
            analyte: Potency(first, second, unit, basis),
            other: Potency(num(numbers[2]), num(numbers[3]), other_unit, other_basis),
        }
    values = list(map(num, numbers))
    lows, highs = (values, values) if len(values) == len(names) else (values[::2], values[1::2])
    return {a: Potency(low, high, u, b) for (a, u, b), low, high in zip(names, lows, highs, strict=True)}


def pack_readings(readings: tuple[Reading, ...]) -> ReadingsRow | None:
    """Return readings side by side; ``None`` for none."""
    if not readings:
        return None
    names = [r.analyte for r in readings]
    units = [r.unit for r in readings]
    values = [r.value for r in readings]
    belows = [r.below for r in readings]
    joined = _PAIR.join(names)
    analytes: str | list[str] = joined if joined.count(_PAIR) == len(names) - 1 else names
    unit: str | list[str] = units[0] if units.count(units[0]) == len(units) else units
    packed = _scaled(values, belows) if isinstance(unit, str) else None
    if packed is not None:
        return analytes, unit, *packed, None
    full = [(pack_optional(value), pack_optional(below)) for value, below in zip(values, belows, strict=True)]
    return analytes, unit, [], None, full


def _scaled(values: Sequence[float | None], belows: Sequence[float | None]) -> tuple[list[int], Num | None] | None:
    """Return scale, values and limit where some lie below one limit (-1) or have no value (-2), if that is exact."""
    limits = {*belows}
    limits.discard(None)
    limit = pack_optional(limits.pop()) if limits else None
    if limits or limit.__class__ is float:
        return None
    whole = _whole(values)
    if whole is None:
        return None
    scale, found = whole
    packed = [
        (-2 if below is None else -1) if n is None else n if below is None else _BOTH
        for n, below in zip(found, belows, strict=True)
    ]
    return None if _BOTH in packed else ([scale, *packed], limit)


def _whole(values: Sequence[float | None]) -> tuple[int, Sequence[int | None]] | None:
    """Return the first scale of which all values are whole numbers, and those numbers; ``None`` stays."""
    missing = values.count(None)
    for scale, count_in in _COUNTS:
        found = list(map(count_in, values))
        if found.count(None) == missing:
            is_exact = 0 not in found or not any(value == 0 and copysign(1.0, value) < 0 for value in values)
            return (scale, found) if is_exact else None
    return None


@lru_cache(maxsize=16384)
def _thousandths(number: float | None) -> int | None:
    return _whole_of(number, 1000)


@lru_cache(maxsize=16384)
def _ten_thousandths(number: float | None) -> int | None:
    return _whole_of(number, 10_000)


def _whole_of(number: float | None, scale: int) -> int | None:
    """Return a number's parts of a scale as :func:`hundredths` does; memoised above: laboratories round alike."""
    if number is None or not 0.0 <= number < MOST_SCALED:
        return None
    scaled = round(number * scale)
    return scaled if scaled / scale == number else None


_COUNTS: tuple[tuple[int, Callable[[float | None], int | None]], ...] = (
    (100, hundredths),
    (1000, _thousandths),
    (10_000, _ten_thousandths),
)


def readings(row: ReadingsRow | None) -> tuple[Reading, ...]:
    """Return the readings that :func:`pack_readings` packed.

    Raises:
        Corrupt: columns of different lengths, or a limit that is not told.
    """
    if row is None:
        return ()
    analytes, unit, values, below, full = row
    if full is not None or isinstance(analytes, list) or isinstance(unit, list) or len(analytes) > _MOST_PANEL_CHARS:
        return _other_readings(row)
    names, belows = _panel(analytes, unit, below)
    if len(values) != len(names) + 1:
        raise Corrupt("readings do not fit their analytes")
    scale = values[0]
    if scale <= 0:
        raise Corrupt("readings without a scale")
    return tuple(
        [
            Reading(analyte, n / scale, unit) if n >= 0 else limit if n == -1 else _unlimited(n, analyte, unit)
            for analyte, limit, n in zip(names, belows, values[1:], strict=True)
        ]
    )


@lru_cache(maxsize=512)
def _panel(analytes: str, unit: str, below: Num | None) -> tuple[list[str], list[Reading]]:
    """Return the analytes of joined text and each one's reading below the limit; memoised: a laboratory has few panels."""
    limit = None if below is None else num(below)
    names = analytes.split(_PAIR)
    return names, [Reading(name, None, unit, limit) for name in names]


def _unlimited(n: int, analyte: str, unit: str) -> Reading:
    if n != -2:
        raise Corrupt("not a reading")
    return Reading(analyte, None, unit)


def _other_readings(row: ReadingsRow) -> tuple[Reading, ...]:
    analytes, unit, values, below, full = row
    names = analytes.split(_PAIR) if isinstance(analytes, str) else analytes
    if full is not None:
        return _full_readings(names, unit, full)
    if isinstance(unit, list) or len(values) != len(names) + 1 or values[0] <= 0 or min(values) < -2:
        raise Corrupt("readings do not fit their analytes")
    limit = None if below is None else num(below)
    return tuple(
        [
            Reading(a, n / values[0], unit) if n >= 0 else Reading(a, None, unit, limit if n == -1 else None)
            for a, n in zip(names, values[1:], strict=True)
        ]
    )


def _full_readings(
    names: list[str], unit: str | list[str], full: list[tuple[Num | None, Num | None]]
) -> tuple[Reading, ...]:
    """Return readings whose units or limits differ, or whose values have many digits."""
    units = unit if isinstance(unit, list) else [unit] * len(names)
    if not len(names) == len(units) == len(full):
        raise Corrupt("readings do not fit their analytes")
    return tuple([Reading(a, optional(v), u, optional(b)) for a, u, (v, b) in zip(names, units, full, strict=True)])
