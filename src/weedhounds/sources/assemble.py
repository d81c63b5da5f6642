"""Turn the parsed pages of a load into the bodies of the entries that it fills."""

from __future__ import annotations

from collections.abc import Sequence

import h3

from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import NEAR_RESOLUTION, RecordKey, near_key
from weedhounds.model.records import (
    Body,
    LabResultList,
    Menu,
    Price,
    PriceList,
    Product,
    PromotionList,
    Shop,
    ShopList,
    StrainList,
)
from weedhounds.sources.base import Load, Parsed


def assemble(load: Load, pages: Sequence[Parsed]) -> dict[RecordKey, Body]:
    """Return the bodies that ``pages`` (in page order) give for ``load``, by key.

    A menu load fills menu and prices; a search fills every asked cell (an empty one too) and
    each shop's own record. Items repeated on several pages count once, the first wins.
    """
    if load.what == "menu":
        return _menu(load, pages)
    if load.what == "near":
        return _near(load, pages)
    if load.what == "promotions":
        return _promotions(load, pages)
    if load.what == "strains":
        return _strains(load, pages)
    if load.what == "labs":
        results = {r.id: r for page in reversed(pages) for r in page.lab_results}
        body = LabResultList(origin=load.origin, results=tuple(results[i] for i in sorted(results)))
        return dict.fromkeys(load.keys, body)
    raise ValueError(f"unknown load {load.what!r}")


def menu_bodies(
    origin: str, shop_id: str, products: Sequence[Product], prices: Sequence[Price]
) -> dict[RecordKey, Body]:
    """Return menu and price list of one shop, ordered, each item once (the first wins)."""
    by_id = {p.id: p for p in reversed(products)}
    by_row = {(p.product_id, p.variant_label, p.market): p for p in reversed(prices) if p.product_id in by_id}
    return {
        RecordKey(DataType.DISPENSARY_MENU, origin, shop_id): Menu(
            origin=origin, shop_id=shop_id, products=tuple(by_id[i] for i in sorted(by_id))
        ),
        RecordKey(DataType.PRODUCT_PRICING, origin, shop_id): PriceList(
            origin=origin, shop_id=shop_id, prices=tuple(by_row[i] for i in sorted(by_row))
        ),
    }


def _menu(load: Load, pages: Sequence[Parsed]) -> dict[RecordKey, Body]:
    assert load.shop_id is not None
    products = [p for page in pages for p in page.products]
    prices = [p for page in pages for p in page.prices]
    return menu_bodies(load.origin, load.shop_id, products, prices)


def shop_cell(shop: Shop) -> str | None:
    """Return the search cell that a shop's position lies in, or ``None`` where it is not placed."""
    if shop.lat is None or shop.lon is None:
        return None
    return str(h3.latlng_to_cell(shop.lat, shop.lon, NEAR_RESOLUTION))


def _near(load: Load, pages: Sequence[Parsed]) -> dict[RecordKey, Body]:
    shops = {s.id: s for page in reversed(pages) for s in page.shops}
    cells: dict[str, list[Shop]] = {key.variant: [] for key in load.keys if key.variant}
    bodies: dict[RecordKey, Body] = {}
    for shop in sorted(shops.values(), key=lambda s: s.id):
        cell = shop_cell(shop)
        if cell in cells:
            cells[cell].append(shop)
        own = RecordKey(DataType.DISPENSARY_INFO, load.origin, shop.id)
        bodies[own] = ShopList(origin=load.origin, cell=cell or "", shops=(shop,))
    for cell, members in cells.items():
        bodies[near_key(load.origin, cell)] = ShopList(origin=load.origin, cell=cell, shops=tuple(members))
    return bodies


def _promotions(load: Load, pages: Sequence[Parsed]) -> dict[RecordKey, Body]:
    assert load.shop_id is not None
    promotions = {p.id: p for page in reversed(pages) for p in page.promotions}
    body = PromotionList(
        origin=load.origin, shop_id=load.shop_id, promotions=tuple(promotions[i] for i in sorted(promotions))
    )
    return {RecordKey(DataType.PROMOTIONS, load.origin, load.shop_id): body}


def _strains(load: Load, pages: Sequence[Parsed]) -> dict[RecordKey, Body]:
    strains = {s.slug: s for page in reversed(pages) for s in page.strains}
    body = StrainList(origin=load.origin, strains=tuple(strains[i] for i in sorted(strains)))
    return dict.fromkeys(load.keys, body)
