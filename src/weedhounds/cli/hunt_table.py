"""A hunt's answer as a person reads it: a table of offers, then what it took and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from weedhounds.cli.tables import Column, render_table
from weedhounds.cli.text import age, amount, counted, money, one_line, potency
from weedhounds.query.answer import FoundOffer, HuntAnswer, Missing, StrainAnswer

COLUMNS = (
    Column("$/g", "right"),
    Column("price", "right"),
    Column("amount", "right"),
    Column("product"),
    Column("brand", drop=4),
    Column("shop"),
    Column("km", "right"),
    Column("THC", "right", drop=3),
    Column("origin", drop=1),
    Column("age", "right", drop=2),
    Column("tier", drop=6),
    Column("stale", "right", drop=5),
)
_READINGS_SHOWN = 5
_MISSING_SHOWN = 8


def hunt_text(answer: HuntAnswer, *, rows: int, width: int | None) -> str:
    """Return the whole text.

    Args:
        rows: most offers in the table.
        width: of a terminal, cells; ``None`` where there is none and nothing is cut.
    """
    shown = answer.offers[:rows]
    table = render_table(COLUMNS, [offer_cells(offer) for offer in shown], width) + "\n" if shown else ""
    return table + "".join(f"{line}\n" for line in summary_lines(answer, len(shown)))


def offer_cells(offer: FoundOffer) -> tuple[str, ...]:
    """Return the cells of one offer, in the order of :data:`COLUMNS`."""
    from_ = offer.provenance
    about = "~" if offer.shop.position == "city" else ""
    return (
        _unit_price(offer),
        money(offer.price) + (" med" if offer.market == "med" else ""),
        amount(offer.variant, offer.variant_label),
        one_line(offer.product) + (" (out of stock)" if offer.in_stock is False else ""),
        one_line(offer.brand or ""),
        one_line(offer.shop.name),
        f"{about}{offer.shop.distance_km:.1f}",
        potency(offer.potency),
        ",".join(_origins(offer)),
        age(from_.age_s),
        from_.tier,
        f"{from_.stale_probability:.0%}",
    )


def _unit_price(offer: FoundOffer) -> str:
    """Return the price of a gram; of 100 mg THC, said so, where that is the unit."""
    unit = offer.unit_price
    if unit.per_g is not None:
        return money(unit.per_g)
    return f"{money(unit.per_100mg_thc)}/100mg" if unit.per_100mg_thc is not None else ""


def _origins(offer: FoundOffer) -> list[str]:
    """Return the origins that list the offer, the winning one first."""
    return list(dict.fromkeys([offer.provenance.origin, *(source.provenance.origin for source in offer.sources)]))


def summary_lines(answer: HuntAnswer, shown: int) -> list[str]:
    """Return the lines below the table."""
    meta = answer.meta
    took = f"{meta.elapsed_ms / 1000:.2f} s, {counted(meta.origin_calls, 'origin call')}"
    if meta.offers_total:
        part = "" if shown == meta.offers_total else f", {shown} shown"
        lines = [
            f"{counted(meta.offers_total, 'offer')}{part}; {counted(meta.shops, 'shop')} near {_place(answer)}; {took}"
        ]
    else:
        asked = f' for "{one_line(answer.query)}"' if answer.query else ""
        read = f"{counted(meta.shops, 'shop')}, {counted(meta.records, 'record')} read"
        lines = [f"no offers{asked} near {_place(answer)} ({read}); {took}"]
    tiers = meta.by_tier
    lines.append(
        f"records by tier: memory {tiers.memory}, sql {tiers.sql}, peers {tiers.peers}, origin {tiers.origin}"
    )  # fmt: skip
    facts = Counter(source.provenance.origin for offer in answer.offers for source in offer.sources)
    if facts:
        lines.append("offers by origin: " + ", ".join(f"{origin} {count}" for origin, count in sorted(facts.items())))
    if answer.strain is not None:
        lines.append(strain_line(answer.strain))
    return lines + missing_lines(answer.missing)


def missing_lines(missing: Iterable[Missing]) -> list[str]:
    """Return what is missing, one line for each origin and reason; JSON has each item."""
    groups: dict[tuple[str, str], list[str]] = {}
    for each in missing:
        groups.setdefault((each.origin, each.why), []).append(one_line(each.what))
    lines = []
    for (origin, why), whats in groups.items():
        left = len(whats) - _MISSING_SHOWN
        more = f" and {left:,} more" if left > 0 else ""
        lines.append(f"missing: {origin}: {', '.join(whats[:_MISSING_SHOWN])}{more}: {one_line(why)}")
    return lines


def _place(answer: HuntAnswer) -> str:
    return one_line(answer.place.name)


def strain_line(strain: StrainAnswer) -> str:
    """Return what is known of the strain asked for, with its origins."""
    parts = [strain.strain_type or "", potency(strain.potency) and f"THC {potency(strain.potency)}"]
    parts += [f"{r.analyte} {r.value:g} {r.unit}" for r in strain.terpenes[:_READINGS_SHOWN] if r.value is not None]
    if strain.lab_results:
        parts.append(f"{counted(len(strain.lab_results), 'laboratory result')}{_lab_range(strain)}")
    origins = dict.fromkeys(each.origin for each in strain.provenance)
    return f"strain {one_line(strain.name)}: {'; '.join(part for part in parts if part)} (from {', '.join(origins)})"


def _lab_range(strain: StrainAnswer) -> str:
    """Return the span of total THC, else THC, over the laboratory results."""
    for analyte in ("total_thc", "thca", "thc"):
        found = [
            r for each in strain.lab_results for r in each.cannabinoids if r.analyte == analyte and r.value is not None
        ]
        values = [r.value for r in found if r.value is not None]
        if values:
            return f" with {analyte} {min(values):g} to {max(values):g} {found[0].unit}"
    return ""
