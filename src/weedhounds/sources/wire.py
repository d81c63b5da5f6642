"""Lenient reading of what origins send: whole answers, single items, and the values in them.

Owns what JSON origins have in common: answers that are almost JSON, items with a field of
another type than promised, numbers as text, times in several spellings. Knows no origin.

An item is decoded by its typed decoder (fast). Where that fails, it is decoded field by field:
a field of another type is left out, so that only a broken essential one loses the item.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Generic, TypeVar

import h3
import msgspec

from weedhounds.errors import OriginRejected, SchemaMismatch
from weedhounds.model.analytes import canonical_analyte, is_cannabinoid, is_terpene
from weedhounds.model.units import Amount, Money, Potency, Reading, parse_amount
from weedhounds.sources.base import clip, decode_document

T = TypeVar("T", bound=msgspec.Struct)

MAX_ID = 128
"""Longest native id, characters; a longer one is no id."""

MAX_LABEL = 64
"""Longest variant label in which an amount is looked for, characters."""

NOTHING = msgspec.Raw(b"null")
"""Default of a field that is decoded apart from its struct (``Raw`` may not be in a union)."""

_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_untyped = msgspec.json.Decoder(float_hook=Decimal)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])

_NOT_JSON = re.compile(rb"NaN|Infinity|\\u[dD][89a-fA-F]")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|-?(?:NaN|Infinity)', re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_NUMBER = re.compile(r"\s*<?\s*(\d+(?:\.\d*)?|\.\d+)\s*%?\s*")
_TIME_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+){1,2}")
_UNITS = {
    "percentage": "%", "percent": "%", "pct": "%", "%": "%",
    "milligrams": "mg", "milligram": "mg", "mg": "mg",
    "milligrams_per_gram": "mg/g", "mg_per_gram": "mg/g", "mg_g": "mg/g", "mg/g": "mg/g",
    "milligrams_per_ml": "mg/ml", "milligrams_per_milliliter": "mg/ml", "mg_ml": "mg/ml", "mg/ml": "mg/ml",
}  # fmt: skip


def decode_answer(body: bytes, type_: type[T]) -> T:
    """Decode a whole answer; mend what some encoders get wrong (``NaN``, half surrogate pairs).

    Raises:
        OriginRejected: HTML instead of JSON.
        SchemaMismatch: not JSON, or not of ``type_``.
    """
    try:
        answer: T = decode_document(body, type_)
    except SchemaMismatch:
        if not _NOT_JSON.search(body):
            raise
        answer = decode_document(_TOKEN.sub(_mend, body), type_)
    return answer


def _mend(token: re.Match[bytes]) -> bytes:
    text = token[0]
    if not text.startswith(b'"'):
        return b"null"
    return _ESCAPE.sub(lambda e: rb"\ufffd" if e["lone"] else e[0], text) if rb"\u" in text else text


class ItemDecoder(Generic[T]):
    """Decodes one item of an answer, keeping what is usable of it.

    Args:
        type_: the item's struct; every field has a default.
        as_given: fields that are kept whatever their type, for the caller to judge (prices).
    """

    def __init__(self, type_: type[T], as_given: Collection[str] = ()) -> None:
        self._type = type_
        self._fast = msgspec.json.Decoder(type_, strict=False)
        self._fields = [
            (f.name, f.encode_name, None if f.name in as_given else msgspec.json.Decoder(f.type, strict=False))
            for f in msgspec.structs.fields(type_)
        ]

    def decode(self, raw: bytes | msgspec.Raw) -> T:
        """Return the item in ``raw``.

        Raises:
            SchemaMismatch: no JSON object.
        """
        try:
            return self._fast.decode(raw)
        except _BROKEN:
            return self._field_by_field(raw)

    def _field_by_field(self, raw: bytes | msgspec.Raw) -> T:
        try:
            given = _object.decode(raw)
        except _BROKEN as error:
            raise SchemaMismatch(f"not an object: {error}") from error
        kept: dict[str, object] = {}
        for name, encoded, decoder in self._fields:
            if encoded not in given:
                continue
            if decoder is None:
                kept[name] = decode_loose(given[encoded])
                continue
            try:
                kept[name] = decoder.decode(given[encoded])
            except _BROKEN:
                continue
        return self._type(**kept)


def decode_loose(raw: bytes | msgspec.Raw) -> object:
    """Return any JSON value, numbers with a fraction as Decimal; what cannot be decoded, as its text.

    A list is decoded element by element, so that one broken element costs only itself.
    """
    try:
        return [_loose(element) for element in _array.decode(raw)]
    except _BROKEN:
        return _loose(raw)


def _loose(raw: bytes | msgspec.Raw) -> object:
    try:
        return _untyped.decode(raw)
    except _BROKEN:
        return bytes(raw)[:60].decode(errors="replace")


def decode_field(raw: msgspec.Raw, decoder: msgspec.json.Decoder[Any]) -> Any:
    """Return what ``decoder`` makes of a field that is not essential, or ``None``."""
    try:
        return decoder.decode(raw)
    except _BROKEN:
        return None


class _Message(msgspec.Struct):
    message: str | None = None


_messages = msgspec.json.Decoder(list[_Message])


def refusal(errors: msgspec.Raw, *, origin: str) -> OriginRejected:
    """Return the error that a GraphQL ``errors`` list of an answer without data stands for."""
    told = [e.message for e in decode_field(errors, _messages) or () if e.message]
    return OriginRejected(
        f"the origin refused the query: {told[0][:200] if told else 'no reason given'}", origin=origin
    )


def identifier(value: object) -> str | None:
    """Return a native id as text; ``None`` where it is none (ids of origins are ASCII)."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return text if text and text.isascii() and len(text) <= MAX_ID else None


def label_text(value: object) -> str | None:
    """Return a text or whole number as clipped text; ``None`` for anything else and for nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return clip(str(value))


def number(value: object) -> float | None:
    """Return the finite number >= 0 that ``value`` states (a number, or text such as ``"21 %"``)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        match = _numeral(value)
        if match is None or "<" in value:
            return None
        value = match[1]
    if not isinstance(value, int | float | Decimal | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def price_of(value: object, currency: str) -> Money | None:
    """Return the price that ``value`` states; ``None`` for none, and for one that rounds to nothing.

    Raises:
        SchemaMismatch: the value is no price.
    """
    money = Money.of(value, currency)
    return money if money is not None and money.amount > 0 else None


def _numeral(text: str) -> re.Match[str] | None:
    return _NUMBER.fullmatch(text) if len(text) <= MAX_LABEL else None


def unit_text(unit: object) -> str | None:
    """Return the unit as this project writes it; an unknown one lower-cased; ``None`` for none."""
    text = label_text(unit)
    if text is None:
        return None
    lowered = text.lower()
    return _UNITS.get(lowered.replace(" ", "_"), lowered[:MAX_LABEL])


def potency(low: object, high: object, unit: str | None) -> Potency | None:
    """Return a content as reported; ``None`` where value or unit is missing, or over 100 %."""
    first, last = number(low), number(high)
    if first is None or last is None or unit is None:
        return None
    if unit == "%" and max(first, last) > 100:
        return None
    return Potency(min(first, last), max(first, last), unit)


def reading(name: object, value: object, unit: str | None) -> Reading | None:
    """Return one analyte's reading; text such as ``"<0.1"`` lies below; ``None`` where it states nothing."""
    analyte = analyte_name(name)
    if analyte is None or unit is None:
        return None
    found = number(value)
    if found is not None:
        return Reading(analyte, found, unit)
    below = _numeral(value) if isinstance(value, str) else None
    return Reading(analyte, None, unit, float(below[1])) if below else None


def analyte_name(name: object) -> str | None:
    """Return the canonical name of an analyte given as ``CBD (Cannabidiol)`` or alone."""
    text = label_text(name)
    return _analyte(text[:MAX_LABEL]) if text else None


@lru_cache(maxsize=1024)
def _analyte(text: str) -> str | None:
    whole = canonical_analyte(text)
    short = canonical_analyte(re.split(r"\(| - ", text, maxsplit=1)[0])
    known = is_cannabinoid(whole) or is_terpene(whole) or not short
    return (whole if known else short) or None


@lru_cache(maxsize=4096)
def amount_of(label: str) -> Amount | None:
    """Return the amount that a variant's label states; ``None`` for none or an absurd one.

    Bounds: memoised for the 4,096 latest labels; labels over ``MAX_LABEL`` characters state none.
    """
    if len(label) > MAX_LABEL:
        return None
    try:
        return parse_amount(label)
    except (ArithmeticError, ValueError):
        return None


def instant(value: object) -> float | None:
    """Return the Unix seconds of a time given as ISO 8601 with zone, or as epoch milliseconds or seconds."""
    if isinstance(value, str) and not value.strip().isdigit():
        return _iso(value.strip())
    epoch = number(value)
    if epoch is None or not epoch:
        return None
    seconds = epoch / 1000 if epoch > 1e11 else epoch
    return seconds if seconds < 1e11 else None


def _iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text[:MAX_LABEL])
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def position(lat: object, lon: object) -> tuple[float, float] | None:
    """Return a position in degrees; ``None`` outside the globe, and for 0, 0 (an unset field)."""
    if isinstance(lat, bool) or isinstance(lon, bool):
        return None
    try:
        found = float(lat), float(lon)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    on_globe = abs(found[0]) <= 90 and abs(found[1]) <= 180
    return found if on_globe and found != (0.0, 0.0) else None


def is_cell(text: str) -> bool:
    """Tell whether ``text`` is the name of an H3 cell."""
    return len(text) == 15 and text.isascii() and text.isalnum() and bool(h3.is_valid_cell(text))


def time_zone(value: object) -> str | None:
    """Return an IANA time zone's name; ``None`` for what does not look like one."""
    return value if isinstance(value, str) and len(value) <= MAX_LABEL and _TIME_ZONE.fullmatch(value) else None
