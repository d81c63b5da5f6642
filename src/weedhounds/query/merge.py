"""Claims of several origins about the same offer, merged into one.

A claim is one origin's price of one product x variant x market at one listing. Claims merge
when they are of one real shop, one market and one amount, agree in category, and their brands
and names are alike. Two products of one origin are never merged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from rapidfuzz import fuzz

from weedhounds.model.names import tokens
from weedhounds.model.provenance import Provenance
from weedhounds.model.records import Category, Price, Product
from weedhounds.model.units import Potency, parse_amount
from weedhounds.query.answer import FoundOffer, OfferShop, OfferSource
from weedhounds.query.unitprice import price_per_g, unit_price

ALIKE_NAME = 85.0
_NOISE = frozenset(
    ["flower", "indica", "sativa", "hybrid", "pre", "roll", "preroll", "vape", "cartridge", "cart", "g", "oz", "mg", "h", "i", "s", "the", "pack", "pk"]
)  # fmt: skip


class Claim(msgspec.Struct, frozen=True):
    """One origin's offer, before merging.

    ``shop`` is the merged shop it stands in; ``specials`` are names of shop-wide specials.
    """

    shop: OfferShop
    product: Product
    price: Price
    provenance: Provenance
    specials: tuple[str, ...] = ()


class Ranking:
    """Claims merged into offers and ranked; an offer is built only when it is asked for.

    Ranked by price per gram (offers without one last, by price), then distance, then key. Prices of
    several currencies are never compared: the currency of most offers comes first.

    Args:
        strain: the known strain that every claim was matched by: an offer whose origins name none is of it.
    """

    def __init__(self, claims: Iterable[Claim], *, strain: str | None = None) -> None:
        self._strain = strain
        groups = [sorted(group, key=_trust) for group in _grouped(claims)]
        counts = Counter(group[0].price.price.currency for group in groups)
        order = {name: place for place, (name, _) in enumerate(counts.most_common())}
        self._groups = sorted(groups, key=lambda group: (order[group[0].price.price.currency], *_rank(group[0])))

    def __len__(self) -> int:
        return len(self._groups)

    def page(self, offset: int, limit: int | None) -> list[FoundOffer]:
        """Return at most ``limit`` offers from ``offset`` on; all of them for ``None``."""
        end = None if limit is None else offset + limit
        return [_offer(group, self._strain) for group in self._groups[offset:end]]


def _grouped(claims: Iterable[Claim]) -> list[list[Claim]]:
    """Return the claims in groups that mean the same offer."""
    blocks: dict[tuple[Any, ...], list[list[Claim]]] = defaultdict(list)
    for claim in claims:
        groups = blocks[_block(claim)]
        group = next((g for g in groups if _fits(claim, g)), None)
        if group is None:
            groups.append([claim])
        else:
            group.append(claim)
    return [group for groups in blocks.values() for group in groups]


def _block(claim: Claim) -> tuple[Any, ...]:
    variant = claim.price.variant
    amount: object = claim.price.variant_label.casefold()
    if variant is not None:
        grams = variant.grams
        amount = round(grams, 3) if grams is not None else (variant.amount, variant.unit, variant.count)
    return (claim.shop.key, claim.price.market, claim.price.price.currency, amount)


def _fits(claim: Claim, group: Sequence[Claim]) -> bool:
    return all(
        claim.provenance.origin != member.provenance.origin and _is_alike(claim.product, member.product)
        for member in group
    )


def _is_alike(one: Product, other: Product) -> bool:
    if one.category != other.category and Category.OTHER not in (one.category, other.category):
        return False
    first, second = _core(one.name, one.brand), _core(other.name, other.brand)
    if first != second and fuzz.ratio(first, second) < ALIKE_NAME:
        return False
    return not (one.brand and other.brand) or fuzz.token_set_ratio(_brand(one.brand), _brand(other.brand)) >= ALIKE_NAME


@lru_cache(maxsize=65536)
def _core(name: str, brand: str | None) -> str:
    """Return a product's name without brand, amounts and kinds: what tells it from its neighbours.

    Bounds: memoised for the 65,536 latest names.
    """
    brand_words = set(tokens(brand)) if brand else set()
    words = tokens(name)
    kept = [w for w in words if w not in brand_words and w not in _NOISE and not _is_amount(w)]
    return "".join(kept) or "".join(words)


@lru_cache(maxsize=8192)
def _is_amount(word: str) -> bool:
    return parse_amount(word) is not None


@lru_cache(maxsize=8192)
def _brand(name: str) -> str:
    return " ".join(tokens(name))


def _offer(ordered: Sequence[Claim], strain: str | None) -> FoundOffer:
    """Return the offer of a group of claims, the most trusted first; ``strain`` where they name none."""
    best = ordered[0]
    facts: dict[str, int] = {}
    potency = _first(ordered, "potency", facts, _potency)
    terpenes = _first(ordered, "terpenes", facts, lambda c: c.product.terpenes)
    lab = _first(ordered, "lab", facts, lambda c: c.product.lab)
    facts["price"] = 0
    return FoundOffer(
        shop=best.shop,
        product=best.product.name,
        product_id=best.product.id,
        brand=_first(ordered, "brand", facts, lambda c: c.product.brand),
        strain=_first(ordered, "strain", facts, lambda c: c.product.strain) or strain,
        category=best.product.category,
        market=best.price.market,
        variant=best.price.variant,
        variant_label=best.price.variant_label,
        price=best.price.price,
        list_price=best.price.list_price,
        unit_price=unit_price(best.price.price, best.price.variant, best.product.category, potency or {}),
        potency=potency or {},
        terpenes=terpenes or (),
        lab=lab,
        promotions=tuple(dict.fromkeys((*best.price.promotions, *(n for c in ordered for n in c.specials)))),
        in_stock=_first(ordered, "in_stock", facts, lambda c: c.price.in_stock, is_known),
        quantity=_first(ordered, "quantity", facts, lambda c: c.price.quantity, is_known),
        provenance=best.provenance,
        sources=tuple(OfferSource(provenance=c.provenance, price=c.price.price) for c in ordered),
        fact_sources=facts,
    )


def is_known(value: object) -> bool:
    """Tell whether a fact is stated; zero and false are."""
    return value is not None


def _first(claims: Sequence[Claim], name: str, facts: dict[str, int], fact: Any, is_stated: Any = bool) -> Any:
    """Return the fact of the first claim that states it, and note which one that was."""
    for index, claim in enumerate(claims):
        value = fact(claim)
        if is_stated(value):
            facts[name] = index
            return value
    return None


def _potency(claim: Claim) -> dict[str, Potency]:
    product = claim.product
    return {**product.potency, **product.potency_by_variant.get(claim.price.variant_label, {})}


def _trust(claim: Claim) -> tuple[Any, ...]:
    """Order claims: the least stale first, then the one that knows the stock, then the cheaper."""
    provenance = claim.provenance
    return (
        round(provenance.stale_probability, 3),
        claim.price.quantity is None,
        claim.price.price.amount,
        provenance.origin,
    )


def _rank(best: Claim) -> tuple[Any, ...]:
    price = best.price
    per_g = price_per_g(price.price, price.variant, best.product.category)
    by = per_g.amount if per_g is not None else price.price.amount
    shop = best.shop
    return (per_g is None, by, shop.distance_km, shop.key, best.product.id, price.variant_label, price.market)
