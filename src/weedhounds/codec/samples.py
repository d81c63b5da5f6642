"""Records to measure and to train on: out of envelopes, JSON of our own, or recorded answers of origins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec

from weedhounds import sources
from weedhounds.codec.base import Encodable
from weedhounds.codec.dictionary_store import SHIPPED, DictionaryStore
from weedhounds.codec.encoding import decode
from weedhounds.codec.envelope import MAGIC
from weedhounds.codec.kinds import items_of
from weedhounds.errors import BadInput, SourceError
from weedhounds.model.records import AnyRecord, Body, LabResultList, PromotionList, ShopList, StrainList
from weedhounds.sources.assemble import menu_bodies
from weedhounds.sources.base import Kind, Parsed

MAX_SINGLES = 20
"""Most single records of a type in a sample."""

MAX_ITEMS = 400
"""Most items of a body in a sample; the rest is cut off."""

_NO_SHOP = "unknown"
_BODY_TYPES: tuple[type, ...] = get_args(Body)
_TAGS = frozenset(str(struct.__struct_config__.tag) for struct in get_args(Encodable))


class Origin(msgspec.Struct, frozen=True):
    """How a recorded answer is read: whose it is, what it holds, and in which currency; detected where not given."""

    name: str | None = None
    kind: Kind | None = None
    currency: str = "USD"


def records_in(
    data: bytes, origin: Origin | None = None, *, dictionaries: DictionaryStore = SHIPPED
) -> list[Encodable]:
    """Return the records that a file's bytes hold.

    Understood are an envelope of the codec; the JSON of one record, of a list of records, or as
    ``get --json`` and ``sources parse --json`` print it; and a recorded answer of an origin, which
    becomes the bodies that the node would store.

    Raises:
        BadInput: none of these, or no record in it.
        CodecError: a damaged envelope, or one of an unknown version, format or dictionary.
        SourceError: an answer that the named origin's parser cannot read.
    """
    if data.startswith(MAGIC):
        return [decode(data, dictionaries=dictionaries)]
    given = origin or Origin()
    found = [] if given.name else _own_json(data)
    if not found:
        found = bodies_of(*_parsed(data, given))
    if not found:
        raise BadInput("there is no record in it")
    return found


def _own_json(data: bytes) -> list[Encodable]:
    try:
        document = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    if isinstance(document, dict) and isinstance(document.get("records"), list):
        document = document["records"]
    each = document if isinstance(document, list) else [document]
    plain = [_inner(item) for item in each]
    if not plain or not all(isinstance(item, dict) and item.get("type") in _TAGS for item in plain):
        return []
    try:
        return [msgspec.convert(item, Encodable) for item in plain]
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInput(f"not a record of ours: {error}") from error


def _inner(item: Any) -> Any:
    """Return the record within an answer of ``get``; anything else as it is."""
    return item["record"] if isinstance(item, dict) and isinstance(item.get("record"), dict) else item


def _parsed(data: bytes, given: Origin) -> tuple[str, Parsed]:
    """Return a recorded answer, parsed, and whose it is; all origins are tried where none is named."""
    if given.name is not None:
        return given.name, sources.parse(given.name, data, given.kind, given.currency)
    for name in sources.ORIGINS:
        try:
            parsed = sources.parse(name, data, given.kind, given.currency)
        except SourceError:
            continue
        if parsed.records():
            return name, parsed
    raise BadInput("neither an envelope, nor JSON of our records, nor an answer of a known origin")


def bodies_of(origin: str, parsed: Parsed) -> list[Encodable]:
    """Return a parsed answer as the node would store it: menus and price lists by shop, lists of all else."""
    bodies: list[Encodable] = []
    for shop_id, ids in _products_by_shop(parsed).items():
        products = [product for product in parsed.products if product.id in ids]
        prices = [price for price in parsed.prices if price.product_id in ids]
        bodies += menu_bodies(origin, shop_id, products, prices).values()
    if parsed.shops:
        bodies.append(ShopList(origin=origin, cell="", shops=tuple(parsed.shops)))
    if parsed.strains:
        bodies.append(StrainList(origin=origin, strains=tuple(parsed.strains)))
    if parsed.lab_results:
        bodies.append(LabResultList(origin=origin, results=tuple(parsed.lab_results)))
    if parsed.promotions:
        shop_id = parsed.shop_id or _NO_SHOP
        bodies.append(PromotionList(origin=origin, shop_id=shop_id, promotions=tuple(parsed.promotions)))
    return [body for body in (*bodies, *parsed.brands) if items_of(body)]


def _products_by_shop(parsed: Parsed) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for product in parsed.products:
        shop = parsed.shops_of.get(product.id)
        found[parsed.shop_id or (shop.id if shop else _NO_SHOP)].add(product.id)
    return found


def by_type(records: Iterable[Encodable]) -> dict[str, list[Encodable]]:
    """Return records by their tag (``menu``, ``product``)."""
    found: dict[str, list[Encodable]] = defaultdict(list)
    for record in records:
        found[str(type(record).__struct_config__.tag)].append(record)
    return dict(found)


def to_measure(records: Iterable[Encodable], most: int = 3) -> dict[str, list[Encodable]]:
    """Return a sample of each type: bodies spread over their sizes, and single records out of them.

    Args:
        most: bodies of a type; the largest is among them.
    """
    found = by_type(records)
    sample = {
        tag: [cut(body, MAX_ITEMS) for body in _spread(sorted(each, key=_weight), most)] for tag, each in found.items()
    }
    for each in found.values():
        if isinstance(each[0], _BODY_TYPES):
            items = [item for body in each for item in items_of(body)]
            if items:
                tag = str(type(items[0]).__struct_config__.tag)
                sample.setdefault(tag, []).extend(_spread(items, MAX_SINGLES))
    return sample


def _weight(record: Encodable) -> int:
    return len(items_of(record))


def _spread(items: Sequence[Encodable], most: int) -> list[Encodable]:
    """Return at most that many of the items, evenly spread, the last one included."""
    if len(items) <= most:
        return list(items)
    return [items[(len(items) - 1) * (n + 1) // most] for n in range(most)]


def cut(body: Encodable, items: int) -> Encodable:
    """Return a body with its first items alone; a single record as it is."""
    listed = items_of(body)
    return body if len(listed) <= items else with_items(body, listed[:items])


def with_items(body: Encodable, items: Sequence[AnyRecord]) -> Encodable:
    """Return a body that lists these items instead of its own; a single record as it is."""
    if not isinstance(body, _BODY_TYPES):
        return body
    listed = items_of(body)
    name = next(name for name in body.__struct_fields__ if getattr(body, name) is listed)
    return msgspec.structs.replace(body, **{name: tuple(items)})
