"""Shops and laboratory results as columns. ``docs/whb.md`` specifies heads and blocks."""

from __future__ import annotations

from itertools import chain, islice
from operator import attrgetter

import msgspec

from weedhounds.codec import whb_wire as wire
from weedhounds.codec.columns import code_all, decode_all, ints, pack_ints, whole
from weedhounds.codec.columns_text import (
    ids,
    numbers,
    pack_ids,
    pack_numbers,
    pack_slugs,
    pack_texts,
    pack_uuids,
    slugs,
    split_uuids,
    texts,
)
from weedhounds.codec.positional import positional, retype
from weedhounds.codec.whb_contents import pack_readings, readings
from weedhounds.codec.whb_menus import check_columns, check_finite
from weedhounds.codec.whb_values import degrees, pack_degrees, shop_key
from weedhounds.errors import Corrupt
from weedhounds.model.records import LabResult, LabResultList, Market, OpenPeriod, Position, Shop, ShopList
from weedhounds.model.units import Reading

Coded = tuple[list[str | None], bytes]
Place = tuple[str | None, str | None, str | None, str | None]
"""City, state, country and time zone."""

_make_shop = positional(Shop)


class ShopsHead(msgspec.Struct, array_like=True, frozen=True, kw_only=True, tag=wire.SHOP_LIST):
    """What is small in a list of shops; its blocks are texts, ids, positions and sizes."""

    origin: str
    cell: str
    count: int
    lengths: list[int] = []
    place: tuple[list[Place], bytes]
    hours: tuple[list[list[int]], bytes]
    markets: tuple[list[tuple[Market, ...]], bytes]
    kind: Coded
    position: tuple[list[Position], bytes]
    keys: list[str | None] | None = None
    origins: Coded | None = None


def split_shops(body: ShopList) -> tuple[ShopsHead, list[bytes]]:
    """Return head and blocks of a list of shops.

    Raises:
        Corrupt: too many shops, or numbers that are none.
    """
    shops = body.shops
    check_columns(len(shops))
    names = [shop.name for shop in shops]
    origins = [shop.origin for shop in shops]
    keys = [None if shop.key == shop_key(shop.origin, shop.id) else shop.key for shop in shops]
    hours = [tuple(chain.from_iterable((p.weekday, p.open_min, p.close_min) for p in shop.hours)) for shop in shops]
    hour_table, hour_indexes = code_all(hours)
    head = ShopsHead(
        origin=body.origin,
        cell=body.cell,
        count=len(shops),
        place=code_all([(shop.city, shop.state, shop.country, shop.time_zone) for shop in shops]),
        hours=(list(map(list, hour_table)), hour_indexes),
        markets=code_all([shop.markets for shop in shops]),
        kind=code_all([shop.kind for shop in shops]),
        position=code_all([shop.position for shop in shops]),
        keys=None if keys.count(None) == len(keys) else keys,
        origins=None if origins.count(body.origin) == len(origins) else code_all(origins),
    )
    uuids: list[bytes] = []
    blocks = [
        pack_texts(names),
        pack_slugs([shop.slug for shop in shops], names, [None] * len(shops), uuids),
        *(pack_texts(list(map(attrgetter(field), shops)), uuids) for field in _TEXTS),
        pack_uuids(uuids),
        pack_ids([shop.id for shop in shops]),
        pack_numbers([pack_degrees(shop.lat) for shop in shops]),
        pack_numbers([pack_degrees(shop.lon) for shop in shops]),
        pack_numbers([shop.menu_size for shop in shops]),
    ]
    return head, blocks


_TEXTS = ("address", "postcode", "phone", "website", "license_number")
"""The fields of a shop that have a block of text each."""


def join_shops(head: ShopsHead, blocks: list[bytes]) -> ShopList:
    """Return the list of shops of head and blocks.

    Raises:
        Corrupt: they do not fit each other.
    """
    count = head.count
    check_columns(count, head.keys)
    name_block, slug_block, *text_blocks = blocks[:7]
    uuid_block, id_block, lat_block, lon_block, size_block = blocks[7:]
    names = whole(texts(name_block, count))
    uuids = iter(split_uuids(uuid_block))
    own_slugs = slugs(slug_block, names, [None] * count, uuids)
    addresses, postcodes, phones, websites, licences = (texts(block, count, uuids) for block in text_blocks)
    own_ids = ids(id_block, count)
    origins = [head.origin] * count if head.origins is None else whole(decode_all(head.origins, count))
    keys = head.keys or [None] * count
    places = decode_all(head.place, count)
    cities, states, countries, zones = zip(*places, strict=True) if places else ((),) * 4
    sizes = numbers(size_block, count)
    if any(isinstance(size, float) for size in sizes):
        raise Corrupt("a menu's size is no whole number")
    shops = tuple(
        map(
            _make_shop,
            [shop_key(o, i) if key is None else key for key, o, i in zip(keys, origins, own_ids, strict=True)],
            origins,
            own_ids,
            names,
            own_slugs,
            addresses,
            cities,
            states,
            postcodes,
            countries,
            map(degrees, numbers(lat_block, count)),
            map(degrees, numbers(lon_block, count)),
            decode_all(head.position, count),
            phones,
            websites,
            zones,
            decode_all((list(map(_periods, head.hours[0])), head.hours[1]), count),
            licences,
            decode_all(head.markets, count),
            decode_all(head.kind, count),
            sizes,
        )
    )
    for shop in shops:
        retype(shop, Shop)
    return ShopList(origin=head.origin, cell=head.cell, shops=shops)


def _periods(flat: list[int]) -> tuple[OpenPeriod, ...]:
    if len(flat) % 3:
        raise Corrupt("opening hours are cut")
    each = iter(flat)
    return tuple(map(OpenPeriod, each, each, each))


Panel = tuple[str, str, int, int | float | None]
"""Analytes, unit, scale and limit of a group of readings."""


class LabResultsHead(msgspec.Struct, array_like=True, frozen=True, kw_only=True, tag=wire.LAB_RESULT_LIST):
    """What is small in a list of laboratory results; its blocks are texts, UUIDs, ids and values.

    Groups of readings come by twos: cannabinoids and terpenes of each result. A panel that is ``None``
    means a group that stands whole in ``odd``.
    """

    origin: str
    count: int
    lengths: list[int] = []
    maker: tuple[list[tuple[str | None, str | None, str | None, str | None]], bytes]
    approved_at: Coded
    tested_at: Coded
    panel: tuple[list[Panel | None], bytes]
    odd: list[tuple[Reading, ...]] = []
    origins: Coded | None = None


def split_lab_results(body: LabResultList) -> tuple[LabResultsHead, list[bytes]]:
    """Return head and blocks of a list of laboratory results.

    Raises:
        Corrupt: too many results, or numbers that are none.
    """
    results = body.results
    check_columns(len(results))
    products = [result.product for result in results]
    strains = ["\0" if r.strain == r.product else r.strain for r in results]
    is_marked = any(result.strain == "\0" for result in results)
    origins = [result.origin for result in results]
    panels, values, odd = _pack_groups(chain.from_iterable((r.cannabinoids, r.terpenes) for r in results))
    head = LabResultsHead(
        origin=body.origin,
        count=len(results),
        maker=code_all([(r.form, r.producer, r.laboratory, r.market) for r in results]),
        approved_at=code_all([r.approved_at for r in results]),
        tested_at=code_all([r.tested_at for r in results]),
        panel=code_all(panels),
        odd=odd,
        origins=None if origins.count(body.origin) == len(origins) else code_all(origins),
    )
    uuids: list[bytes] = []
    blocks = [
        pack_texts(products),
        b"W" + pack_texts([r.strain for r in results]) if is_marked else b"M" + pack_texts(strains),
        pack_texts([r.report_url for r in results], uuids),
        pack_uuids(uuids),
        pack_ids([r.id for r in results]),
        pack_ints(values),
    ]
    return head, blocks


def _pack_groups(
    groups: chain[tuple[Reading, ...]],
) -> tuple[list[Panel | None], list[int], list[tuple[Reading, ...]]]:
    """Return the panel of each group, the values of all shifted by 2 (0: none, 1: below the limit), and odd groups."""
    panels: list[Panel | None] = []
    values: list[int] = []
    odd: list[tuple[Reading, ...]] = []
    for group in groups:
        analytes, unit, own, limit, full = pack_readings(group) or ([], "", [], None, None)
        if full is not None or isinstance(analytes, list) or isinstance(unit, list):
            panels.append(None)
            odd.append(group)
            continue
        panels.append((analytes, unit, own[0], limit))
        values += [value + 2 for value in own[1:]]
    return panels, values, odd


def join_lab_results(head: LabResultsHead, blocks: list[bytes]) -> LabResultList:
    """Return the list of laboratory results of head and blocks.

    Raises:
        Corrupt: they do not fit each other.
    """
    count = head.count
    check_columns(count)
    product_block, strain_block, url_block, uuid_block, id_block, value_block = blocks
    products = whole(texts(product_block, count))
    strains = texts(strain_block[1:], count)
    if strain_block[:1] == b"M":
        strains = [p if s == "\0" else s for s, p in zip(strains, products, strict=True)]
    urls = texts(url_block, count, iter(split_uuids(uuid_block)))
    origins = [head.origin] * count if head.origins is None else whole(decode_all(head.origins, count))
    makers = decode_all(head.maker, count)
    check_finite(head.odd)
    groups = _groups(head, value_block)
    results = [
        LabResult(
            id=id_,
            origin=origin,
            product=product,
            strain=strain,
            form=form,
            producer=producer,
            laboratory=laboratory,
            tested_at=tested_at,
            approved_at=approved_at,
            market=market,
            report_url=url,
            cannabinoids=cannabinoids,
            terpenes=terpenes,
        )
        for id_, origin, product, strain, (form, producer, laboratory, market), tested_at, approved_at, url,
            cannabinoids, terpenes in zip(
                ids(id_block, count), origins, products, strains, makers, decode_all(head.tested_at, count),
                decode_all(head.approved_at, count), urls, groups[::2], groups[1::2], strict=True,
            )
    ]  # fmt: skip
    return LabResultList(origin=head.origin, results=tuple(results))


def _groups(head: LabResultsHead, block: bytes) -> list[tuple[Reading, ...]]:
    panels = decode_all(head.panel, 2 * head.count)
    sizes = [0 if panel is None else panel[0].count("\n") + 1 for panel in panels]
    values = iter([value - 2 for value in ints(block, sum(sizes))])
    odd = iter(head.odd)
    found: list[tuple[Reading, ...]] = []
    for panel, size in zip(panels, sizes, strict=True):
        if panel is None:
            group = next(odd, None)
            if group is None:
                raise Corrupt("readings are missing")
            found.append(group)
            continue
        analytes, unit, scale, limit = panel
        found.append(readings((analytes, unit, [scale, *islice(values, size)], limit, None)))
    return found
