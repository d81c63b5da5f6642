"""From gathered entries to ranked offers: matching and merging. No I/O; runs beside the event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from weedhounds.errors import Corrupt
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Provenance
from weedhounds.model.records import Product, PromotionList, Shop
from weedhounds.query.answer import Missing, NearbyShop, OfferShop, StrainAnswer
from weedhounds.query.identity import merge_shops
from weedhounds.query.match import Question
from weedhounds.query.merge import Claim, Ranking
from weedhounds.query.nearby import Listing
from weedhounds.query.strainfacts import strain_answer
from weedhounds.query.views import menu_view, price_view
from weedhounds.readthrough import Found


def ranked_offers(
    question: Question,
    listings: Sequence[Listing],
    found: Mapping[RecordKey, Found],
    *,
    strain: str | None,
    now: float,
    stale: Mapping[RecordKey, float],
) -> Ranking:
    """Return the offers that ``question`` means at the listed shops, merged and ranked.

    Args:
        found: menus, prices and promotions of the listings, by key; all of them decodable.
        strain: the name of the strain that the question is, where some origin knows it.
        now: Unix seconds of facts, for ages.
        stale: how likely the price list of each key is stale, 0..1.
    """
    shops = offer_shops(listings)
    menus = [(each, found.get(_key(DataType.DISPENSARY_MENU, each.shop))) for each in listings]
    texts = [(each, menu_view(entry.entry)) for each, entry in menus if entry is not None]
    if strain is None and any(text is not None and question.slug in text.strains for _, text in texts):
        strain = question.text
    claims: list[Claim] = []
    for listing, text in texts:
        priced = found.get(_key(DataType.PRODUCT_PRICING, listing.shop))
        prices = price_view(priced.entry) if priced is not None else None
        if text is None or prices is None or priced is None:
            continue
        specials = _specials(found.get(_key(DataType.PROMOTIONS, listing.shop)))
        provenance = provenance_of(priced, now, stale[priced.entry.key])
        shop = shops[listing.shop.origin, listing.shop.id]
        for product in text.matches(question, is_strain=strain is not None):
            extra = tuple(name for name, categories in specials if _applies(product, categories))
            claims.extend(Claim(shop, product, price, provenance, extra) for price in prices.get(product.id, ()))
    return Ranking(claims, strain=strain)


def _specials(found: Found | None) -> list[tuple[str, frozenset[str]]]:
    """Return the shop-wide specials: name, and the category words they are limited to."""
    record = found.entry.record if found is not None else None
    if not isinstance(record, PromotionList):
        return []
    return [(p.name, frozenset(c.casefold() for c in p.categories)) for p in record.promotions]


def _applies(product: Product, categories: frozenset[str]) -> bool:
    return not categories or (product.category_name or "").casefold() in categories


def asked_strain(
    question: Question, facts: Iterable[Found], *, now: float, stale: Mapping[RecordKey, float]
) -> tuple[StrainAnswer | None, list[Missing]]:
    """Return what the entries say of the strain that was asked for, and which were damaged.

    Args:
        stale: how likely the entry of each key is stale, 0..1.
    """
    if question.slug is None:
        return None, []
    whole, damaged = [], []
    for found in facts:
        try:
            whole.append((found.entry.record, provenance_of(found, now, stale[found.entry.key])))
        except Corrupt as error:
            damaged.append(Missing(found.entry.key.origin, "strain facts", str(error)))
    return strain_answer(question.slug, question.text, whole), damaged


def provenance_of(found: Found, now: float, stale_probability: float) -> Provenance:
    """Return where a found entry came from, how old it is, and how likely it is stale."""
    entry = found.entry
    return Provenance(
        origin=entry.key.origin,
        key=str(entry.key),
        fetched_at=round(entry.fetched_at, 3),
        age_s=round(entry.age_s(now), 3),
        tier=found.tier,
        stale_probability=round(stale_probability, 4),
        signed_by=entry.signed_by,
    )


def _key(data_type: DataType, shop: Shop) -> RecordKey:
    return RecordKey(data_type, shop.origin, shop.id)


def offer_shops(listings: Sequence[Listing]) -> dict[tuple[str, str], OfferShop]:
    """Return for each listing the merged shop it belongs to; the best placed listing describes it."""
    merged: dict[tuple[str, str], OfferShop] = {}
    for best, away_km, group in _real_shops(listings):
        described = OfferShop(
            key=best.key,
            name=best.name,
            address=address_of(best),
            lat=best.lat or 0.0,
            lon=best.lon or 0.0,
            distance_km=away_km,
            position=best.position,
        )
        merged |= {(shop.origin, shop.id): described for shop in group}
    return merged


def nearby_shops(listings: Sequence[Listing]) -> list[NearbyShop]:
    """Return the real shops behind the listings, nearest first."""
    found = [
        NearbyShop(shop=best, distance_km=away_km, listings=tuple(sorted(shop.key for shop in group)))
        for best, away_km, group in _real_shops(listings)
    ]
    return sorted(found, key=lambda each: (each.distance_km, each.shop.key))


def _real_shops(listings: Sequence[Listing]) -> Iterable[tuple[Shop, float, list[Shop]]]:
    """Yield for each real shop the listing that describes it best, its distance, and all its listings."""
    away = {(each.shop.origin, each.shop.id): each.distance_km for each in listings}
    for group in merge_shops([each.shop for each in listings]):
        best = min(group, key=lambda shop: (shop.position != "exact", not shop.license_number, not shop.address))
        yield best, round(away[best.origin, best.id], 2), group


def address_of(shop: Shop) -> str | None:
    """Return street, city, state and postcode on one line, as far as they are known."""
    region = " ".join(part for part in (shop.state, shop.postcode) if part)
    return ", ".join(part for part in (shop.address, shop.city, region) if part) or None
