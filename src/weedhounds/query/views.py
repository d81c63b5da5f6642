"""Decoded menus and price lists prepared for questions, kept by content digest."""

from __future__ import annotations

from collections import OrderedDict

from weedhounds.cache.entry import Entry
from weedhounds.model.records import Menu, Price, PriceList
from weedhounds.query.match import MenuText

MAX_VIEWS = 2_000


class Views:
    """Prepared forms of the latest entries, by digest, so that a warm hunt prepares nothing.

    Bounds: ``MAX_VIEWS`` menus and as many price lists; the least recently used leave.
    """

    def __init__(self, max_views: int = MAX_VIEWS) -> None:
        self._max = max_views
        self._menus: OrderedDict[bytes, MenuText] = OrderedDict()
        self._prices: OrderedDict[bytes, dict[str, list[Price]]] = OrderedDict()

    def menu(self, entry: Entry) -> MenuText | None:
        """Return the menu of a ``dispensary_menu`` entry; ``None`` where it holds something else.

        Raises:
            Corrupt: the entry's bytes are damaged.
        """
        view = self._menus.get(entry.digest)
        if view is None:
            record = entry.record
            if not isinstance(record, Menu):
                return None
            view = self._menus[entry.digest] = MenuText(record)
            self._trim(self._menus)
        self._menus.move_to_end(entry.digest)
        return view

    def prices(self, entry: Entry) -> dict[str, list[Price]] | None:
        """Return the prices of a ``product_pricing`` entry by product id; ``None`` for another record.

        Raises:
            Corrupt: the entry's bytes are damaged.
        """
        view = self._prices.get(entry.digest)
        if view is None:
            record = entry.record
            if not isinstance(record, PriceList):
                return None
            view = {}
            for price in record.prices:
                view.setdefault(price.product_id, []).append(price)
            self._prices[entry.digest] = view
            self._trim(self._prices)
        self._prices.move_to_end(entry.digest)
        return view

    def _trim(self, views: OrderedDict[bytes, MenuText] | OrderedDict[bytes, dict[str, list[Price]]]) -> None:
        if len(views) > self._max:
            views.popitem(last=False)
