"""Offers as flat rows, for CSV (RFC 4180) and Parquet. ``docs/reference/cli.md`` explains the columns.

What is a list in an offer becomes one text, its parts joined with ``"; "``. Money stays exact: a
decimal text in CSV, a decimal column in Parquet.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Literal, NamedTuple

from weedhounds.cli.text import one_line
from weedhounds.query.answer import FoundOffer

Value = str | int | float | bool | Decimal | datetime | None
ColumnType = Literal["text", "int", "float", "bool", "money", "time"]

MONEY_DIGITS, MONEY_SCALE = 18, 4
_JOINED = "; "


class FlatColumn(NamedTuple):
    """One column: its name, its type, and how an offer fills it."""

    name: str
    type: ColumnType
    value: Callable[[FoundOffer], Value]


def _potency(analyte: str, field: Literal["low", "high", "unit"]) -> Callable[[FoundOffer], Value]:
    def value(offer: FoundOffer) -> Value:
        found = offer.potency.get(analyte)
        return None if found is None else getattr(found, field)

    return value


def _readings(offer: FoundOffer) -> str:
    return _JOINED.join(
        f"{r.analyte}={'<' + format(r.below, 'g') if r.value is None and r.below is not None else _number(r.value)} {r.unit}"
        for r in offer.terpenes
    )


def _number(value: float | None) -> str:
    return "ND" if value is None else f"{value:g}"


def _sources(offer: FoundOffer) -> str:
    return _JOINED.join(f"{s.provenance.origin}={s.price.amount} {s.price.currency}" for s in offer.sources)


COLUMNS: tuple[FlatColumn, ...] = (
    FlatColumn("shop_key", "text", lambda o: o.shop.key),
    FlatColumn("shop", "text", lambda o: o.shop.name),
    FlatColumn("address", "text", lambda o: o.shop.address),
    FlatColumn("lat", "float", lambda o: o.shop.lat),
    FlatColumn("lon", "float", lambda o: o.shop.lon),
    FlatColumn("distance_km", "float", lambda o: o.shop.distance_km),
    FlatColumn("position", "text", lambda o: o.shop.position),
    FlatColumn("product_id", "text", lambda o: o.product_id),
    FlatColumn("product", "text", lambda o: o.product),
    FlatColumn("brand", "text", lambda o: o.brand),
    FlatColumn("strain", "text", lambda o: o.strain),
    FlatColumn("category", "text", lambda o: o.category.value),
    FlatColumn("market", "text", lambda o: o.market),
    FlatColumn("variant_label", "text", lambda o: o.variant_label),
    FlatColumn("variant_amount", "float", lambda o: o.variant.amount if o.variant else None),
    FlatColumn("variant_unit", "text", lambda o: o.variant.unit if o.variant else None),
    FlatColumn("variant_count", "int", lambda o: o.variant.count if o.variant else None),
    FlatColumn("price", "money", lambda o: o.price.amount),
    FlatColumn("list_price", "money", lambda o: o.list_price.amount),
    FlatColumn("currency", "text", lambda o: o.price.currency),
    FlatColumn("price_per_g", "money", lambda o: o.unit_price.per_g.amount if o.unit_price.per_g else None),
    FlatColumn(
        "price_per_100mg_thc",
        "money",
        lambda o: o.unit_price.per_100mg_thc.amount if o.unit_price.per_100mg_thc else None,
    ),
    FlatColumn("thc_low", "float", _potency("thc", "low")),
    FlatColumn("thc_high", "float", _potency("thc", "high")),
    FlatColumn("thc_unit", "text", _potency("thc", "unit")),
    FlatColumn("cbd_low", "float", _potency("cbd", "low")),
    FlatColumn("cbd_high", "float", _potency("cbd", "high")),
    FlatColumn("cbd_unit", "text", _potency("cbd", "unit")),
    FlatColumn("terpenes", "text", _readings),
    FlatColumn("laboratory", "text", lambda o: o.lab.laboratory if o.lab else None),
    FlatColumn("tested_at", "text", lambda o: o.lab.tested_at if o.lab else None),
    FlatColumn("promotions", "text", lambda o: _JOINED.join(map(one_line, o.promotions))),
    FlatColumn("in_stock", "bool", lambda o: o.in_stock),
    FlatColumn("quantity", "float", lambda o: o.quantity),
    FlatColumn("origin", "text", lambda o: o.provenance.origin),
    FlatColumn("key", "text", lambda o: o.provenance.key),
    FlatColumn("fetched_at", "time", lambda o: datetime.fromtimestamp(o.provenance.fetched_at, UTC)),
    FlatColumn("age_s", "float", lambda o: o.provenance.age_s),
    FlatColumn("tier", "text", lambda o: o.provenance.tier),
    FlatColumn("stale_probability", "float", lambda o: o.provenance.stale_probability),
    FlatColumn("sources", "text", _sources),
)


def csv_bytes(offers: Sequence[FoundOffer]) -> bytes:
    """Return the offers as CSV with a header: UTF-8, CRLF, an empty field for what is not known."""
    text = StringIO()
    rows = csv.writer(text)
    rows.writerow([column.name for column in COLUMNS])
    rows.writerows([_field(column.value(offer)) for column in COLUMNS] for offer in offers)
    return text.getvalue().encode("utf-8", "replace")


def _field(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value)


def parquet_bytes(offers: Sequence[FoundOffer]) -> bytes:
    """Return the offers as one Parquet file (zstd)."""
    import polars

    types = {
        "text": polars.String(),
        "int": polars.Int64(),
        "float": polars.Float64(),
        "bool": polars.Boolean(),
        "money": polars.Decimal(MONEY_DIGITS, MONEY_SCALE),
        "time": polars.Datetime("ms", "UTC"),
    }
    columns = [
        polars.Series(column.name, [column.value(offer) for offer in offers], dtype=types[column.type])
        for column in COLUMNS
    ]
    file = BytesIO()
    polars.DataFrame(columns).write_parquet(file, compression="zstd")
    return file.getvalue()
