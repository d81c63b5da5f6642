"""Decoded menus and price lists prepared for questions.

A prepared form hangs on its entry (``Entry.prepared``), so that a warm hunt prepares nothing and
the form leaves memory with the entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from weedhounds.cache.entry import Entry
from weedhounds.model.records import Menu, Price, PriceList
from weedhounds.query.match import MenuText

PricesOf = Mapping[str, tuple[Price, ...]]
"""The prices of a shop, by product id."""


def menu_view(entry: Entry) -> MenuText | None:
    """Return the menu of a ``dispensary_menu`` entry; ``None`` where it holds something else.

    Raises:
        Corrupt: the entry's bytes are damaged.
    """
    prepared = entry.prepared  # read once: the tier may let go of it meanwhile
    if isinstance(prepared, MenuText):
        return prepared
    record = entry.record
    if not isinstance(record, Menu):
        return None
    view = MenuText(record)
    entry.prepared = view
    return view


def price_view(entry: Entry) -> PricesOf | None:
    """Return the prices of a ``product_pricing`` entry by product; ``None`` where it holds something else.

    Raises:
        Corrupt: the entry's bytes are damaged.
    """
    prepared = entry.prepared
    if isinstance(prepared, dict):
        return prepared
    record = entry.record
    if not isinstance(record, PriceList):
        return None
    grouped: dict[str, list[Price]] = {}
    for price in record.prices:
        grouped.setdefault(price.product_id, []).append(price)
    view = {product_id: tuple(prices) for product_id, prices in grouped.items()}
    entry.prepared = view
    return view
