"""What the plans of several sources share: keys sorted by the call that fills them, and further pages.

Pure; knows no origin. A load takes at most :data:`MAX_PAGES` pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import h3
import msgspec

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Shop
from weedhounds.sources.base import Call, Parsed

MAX_PAGES = 40
"""Most pages of one load; a menu of 100 items a page may hold 4,000 items."""

KM_PER_MILE = 1.609344


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one origin, sorted by what fills them.

    Args:
        menus: by shop id, its menu and pricing keys (one menu call fills both).
        cells: searches for shops, each in an H3 cell.
        shops: single shops' own records.
        others: by data type, all the rest.
    """

    menus: Mapping[str, tuple[RecordKey, ...]]
    cells: tuple[RecordKey, ...]
    shops: tuple[RecordKey, ...]
    others: Mapping[DataType, tuple[RecordKey, ...]]


def sort_keys(keys: Iterable[RecordKey], *, supported: Iterable[DataType]) -> Asked:
    """Return ``keys`` sorted by what fills them, each once, in a stable order.

    Raises:
        BadInput: a data type that the origin does not have, or a search cell that is none.
    """
    menus: dict[str, list[RecordKey]] = {}
    cells: list[RecordKey] = []
    shops: list[RecordKey] = []
    others: dict[DataType, list[RecordKey]] = {}
    known = frozenset(supported)
    for key in sorted(set(keys), key=str):
        if key.data_type not in known:
            raise BadInput(f"{key.origin} has no {key.data_type.value}: {key}", key=str(key), origin=key.origin)
        if key.data_type in (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING):
            menus.setdefault(key.native_id, []).append(key)
        elif key.data_type is not DataType.DISPENSARY_INFO:
            others.setdefault(key.data_type, []).append(key)
        elif key.is_search:
            cells.append(_checked_cell(key))
        else:
            shops.append(key)
    return Asked(
        menus={shop: tuple(own) for shop, own in menus.items()},
        cells=tuple(cells),
        shops=tuple(shops),
        others={data_type: tuple(own) for data_type, own in others.items()},
    )


def _checked_cell(key: RecordKey) -> RecordKey:
    if key.native_id != "near" or key.variant is None or not h3.is_valid_cell(key.variant):
        raise BadInput(f"not a search for shops in an H3 cell: {key}", key=str(key), origin=key.origin)
    return key


def slug_of(shop_id: str, shops: Mapping[str, Shop]) -> str:
    """Return the readable name of a shop in its origin's addresses; its id where none is known."""
    shop = shops.get(shop_id)
    return (shop.slug if shop else None) or shop_id


def page_size(options: Mapping[str, str], name: str, default: int) -> int:
    """Return the page size that an option states, or ``default``.

    Raises:
        BadInput: the option is no number from 1 to 50,000.
    """
    text = options.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 50_000):
        raise BadInput(f"option {name} is no page size: {text[:20]!r}")
    return int(text)


def further_pages(call: Call, parsed: Parsed, *, param: str, size: int, first: int | None = None) -> list[Call]:
    """Return the calls for the pages after ``call``'s.

    Where the origin says how many items there are, the first page shows all others at once (an
    origin that sends fewer items a page than asked shows its own page size that way); else
    each full page shows the next one.

    Args:
        param: the query parameter that names the page.
        size: items asked a page.
        first: number of the first page, where pages are numbered; ``None`` where ``param`` counts
            the items before the page.

    Bounds: ``MAX_PAGES`` pages of a load in all.
    """
    if parsed.seen == 0:
        return []
    if parsed.total is None:
        numbers = range(call.page + 1, call.page + 2) if parsed.seen >= size else range(0)
        step = size
    else:
        step = min(size, parsed.seen) if parsed.total > parsed.seen else size
        numbers = range(1, math.ceil(parsed.total / step)) if call.page == 0 else range(0)
    return [
        _with_param(call, param, str(page * step if first is None else first + page), page=page)
        for page in numbers[:MAX_PAGES]
        if page < MAX_PAGES
    ]


def _with_param(call: Call, name: str, value: str, *, page: int) -> Call:
    params = tuple((n, value if n == name else v) for n, v in call.params)
    return msgspec.structs.replace(call, params=params, page=page)
