"""Records as a person reads them: what ``get`` and ``sources parse`` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weedhounds.cli.tables import Column, render_table
from weedhounds.cli.text import age, amount, category, money, one_line, potency
from weedhounds.model.records import (
    AnyRecord,
    Body,
    Brand,
    LabResult,
    LabResultList,
    Menu,
    Offer,
    Price,
    PriceList,
    Product,
    Promotion,
    PromotionList,
    Shop,
    ShopList,
    Strain,
    StrainList,
)
from weedhounds.model.units import Reading
from weedhounds.query.answer import RecordAnswer

COLUMNS = (
    Column("type"),
    Column("name"),
    Column("brand", drop=1),
    Column("amount", "right"),
    Column("price", "right"),
    Column("THC", "right", drop=2),
    Column("details", drop=3),
)
_READINGS_SHOWN = 4


def record_text(answer: RecordAnswer, width: int | None) -> str:
    """Return a record's provenance in one line, then what it holds as a table."""
    from_ = answer.provenance
    state = "stale" if answer.is_stale else "fresh"
    head = (
        f"{answer.key}: {state}, {age(from_.age_s)} old, from {from_.origin} by the {from_.tier} tier, "
        f"stale with probability {from_.stale_probability:.0%}, digest {answer.digest}\n"
    )
    rows = [record_cells(record) for record in members(answer.record)]
    return head + (render_table(COLUMNS, rows, width) if rows else "nothing in it\n")


def members(body: Body) -> Sequence[AnyRecord]:
    """Return the records that an entry's body holds."""
    match body:
        case Menu():
            return body.products
        case PriceList():
            return body.prices
        case ShopList():
            return body.shops
        case PromotionList():
            return body.promotions
        case LabResultList():
            return body.results
        case StrainList():
            return body.strains


def record_cells(record: AnyRecord) -> tuple[str, ...]:
    """Return the cells of one record, in the order of :data:`COLUMNS`."""
    kind = str(type(record).__struct_config__.tag)
    name, brand, size, price, thc, details = _cells(record)
    return (kind, one_line(name), one_line(brand or ""), size, price, thc, one_line(details))


def _cells(record: AnyRecord) -> tuple[str, str | None, str, str, str, str]:
    match record:
        case Offer():
            size = amount(record.variant, record.variant_label)
            return (
                record.product,
                record.brand,
                size,
                _price(record),
                potency(record.potency),
                category(record.category),
            )
        case Price():
            return record.product_id, None, amount(record.variant, record.variant_label), _price(record), "", ""
        case Product():
            return record.name, record.brand, "", "", potency(record.potency), category(record.category)
        case Shop():
            return record.name, None, "", "", "", _where(record)
        case Strain():
            details = "; ".join(part for part in (record.strain_type, _readings(record.terpenes)) if part)
            return record.name, None, "", "", potency(record.potency), details
        case LabResult():
            details = "; ".join(part for part in (record.laboratory, _readings(record.cannabinoids)) if part)
            return record.product, record.producer, "", "", "", details
        case Promotion():
            return record.name, None, "", money(record.target_price), "", record.description or ""
        case Brand():
            return record.name, None, "", "", "", record.website or ""


def _price(record: Offer | Price) -> str:
    regular = "" if record.list_price == record.price else f" (regular {money(record.list_price)})"
    return f"{money(record.price)}{' med' if record.market == 'med' else ''}{regular}"


def _where(shop: Shop) -> str:
    place = ", ".join(part for part in (shop.address, shop.city, shop.state) if part)
    if shop.lat is None or shop.lon is None:
        return f"{place} (not placed)"
    return f"{place} ({'about ' if shop.position == 'city' else ''}{shop.lat:.4f},{shop.lon:.4f})"


def _readings(readings: Sequence[Reading]) -> str:
    known = [reading for reading in readings if reading.value is not None]
    return ", ".join(f"{r.analyte} {r.value:g} {r.unit}" for r in known[:_READINGS_SHOWN])


def count_lines(counts: Mapping[str, int]) -> list[str]:
    """Return how many records there are of each type."""
    return [f"{kind:<12} {count:>7,}" for kind, count in sorted(counts.items())]
