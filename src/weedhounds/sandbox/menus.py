"""Menu pages from rendered items: each item's JSON is made once per lot and shelf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from weedhounds.sandbox.catalogue import Product
from weedhounds.sandbox.http import encode
from weedhounds.sandbox.lru import Memo
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.shops import Listing
from weedhounds.sandbox.spelling import Item, make_items
from weedhounds.sandbox.stock import Batch, Shelf


class Shown(NamedTuple):
    """All that a menu item is made of; products without batches have no lot."""

    listing: Listing
    product: Product
    item: Item
    batch: Batch | None
    shelf: Shelf


Render = Callable[[Shown], dict[str, object]]


class MenuPages:
    """The items of one origin's menus as JSON.

    Args:
        render: makes an item's wire form; must depend on its arguments alone.

    Bounds: at most 8,192 rendered items (about 12 MB) and the names of 256 menus are held.
    """

    def __init__(self, market: Market, render: Render) -> None:
        self._market = market
        self._render = render
        self._rendered: Memo[tuple[int, int, int, int], bytes] = Memo(8_192)
        self._items: Memo[str, tuple[Item, ...]] = Memo(256)

    def items(self, listing: Listing) -> tuple[Item, ...]:
        """Return what the origin calls the listing's products, in the menu's order."""
        return self._items.get(listing.id, lambda: make_items(listing, self._market.menu(listing.shop)))

    def page(self, listing: Listing, indexes: Sequence[int], now: float) -> Iterable[bytes]:
        """Return the JSON of the products with these numbers, as they stand at ``now``."""
        state = self._market.state(listing.shop, now)
        menu, items = self._market.menu(listing.shop), self.items(listing)
        for index in indexes:
            batch = state.batches[index] if index < len(state.batches) else None
            shelf = state.shelves[index]
            key = (listing.shop.index, index, batch.id if batch else -2, shelf.id)
            found = self._rendered.peek(key)
            if found is None:
                product = menu[index]
                lot = self._market.batch(listing.shop, product, batch) if batch else None
                tag = self._market.shelf(listing.shop, product, shelf)
                found = encode(self._render(Shown(listing, product, items[index], lot, tag)))
                self._rendered.put(key, found)
            yield found


def dollars(cents: int) -> float | int:
    """Return cents as the number that JSON menus hold: whole dollars as whole numbers."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def iso_utc(t: float) -> str:
    """Return Unix seconds as ISO 8601 with milliseconds, UTC."""
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
