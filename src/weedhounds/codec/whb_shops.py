"""The shop of an offer in ``whb`` rows: its id and origin, from which its key follows, or all that is told of it.

Both ways are memoised for shops of which only the key is told: a shop's offers then share one
:class:`ShopRef`, which takes a third of the time of making one and none of the memory.
"""

from __future__ import annotations

from functools import lru_cache

from weedhounds.codec.whb_values import (
    MOST_MEMOISED_CHARS,
    SHOP_KEY,
    degrees,
    native_id,
    pack_id,
    shop_key,
)
from weedhounds.codec.whb_wire import Id, ShopRest
from weedhounds.errors import Corrupt
from weedhounds.model.records import ShopRef

MEMOISED_SHOPS = 1024
"""Shops that each of the two memos holds, the latest: some 500 bytes each."""


def pack_ref(shop: ShopRef) -> tuple[Id, str] | ShopRef:
    """Return id and origin of a shop of which only the key is told, if it follows from them; else the shop."""
    if shop.name is not None or shop.address is not None or shop.lat is not None or shop.lon is not None:
        return shop
    key, own_id = shop.key, shop.id
    pack_key = _pack_key if len(key) + len(own_id) < MOST_MEMOISED_CHARS else _pack_key.__wrapped__
    return pack_key(key, own_id) or shop


@lru_cache(maxsize=MEMOISED_SHOPS)
def _pack_key(key: str, own_id: str) -> tuple[Id, str] | None:
    origin = key[len(SHOP_KEY) : -len(own_id) - 1]
    return (pack_id(own_id), origin) if key == shop_key(origin, own_id) else None


def keyed_ref(packed_id: Id, origin: str) -> ShopRef:
    """Return the shop of an id and an origin: what :func:`pack_ref` packed."""
    text = "" if isinstance(packed_id, int) else packed_id if isinstance(packed_id, str) else packed_id[0]
    make = _keyed if len(text) + len(origin) < MOST_MEMOISED_CHARS else _keyed.__wrapped__
    return make(packed_id, origin)


@lru_cache(maxsize=MEMOISED_SHOPS)
def _keyed(packed_id: Id, origin: str) -> ShopRef:
    shop_id = native_id(packed_id)
    return ShopRef(key=shop_key(origin, shop_id), id=shop_id)


def build_ref(packed_id: Id, origin: str | None, rest: ShopRest | None) -> ShopRef:
    """Return the shop of an offer's row of the first layout.

    Raises:
        Corrupt: neither the key nor what it follows from is told.
    """
    key, name, address, lat, lon = rest or (None, None, None, None, None)
    if key is None and origin is None:
        raise Corrupt("a shop without a key")
    if rest is None and origin is not None:
        return keyed_ref(packed_id, origin)
    shop_id = native_id(packed_id)
    own_key = shop_key(origin or "", shop_id) if key is None else key
    return ShopRef(key=own_key, id=shop_id, name=name, address=address, lat=degrees(lat), lon=degrees(lon))
