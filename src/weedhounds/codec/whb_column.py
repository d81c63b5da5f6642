"""The payload of ``whb`` columns: menus, price lists, shops and laboratory results at rest and in bulk.

Layout: the byte C1 (which begins no MessagePack), four bytes with the length of the head
(little-endian), the head (one MessagePack array: what it lists, what is small, and the lengths of
the blocks), and the blocks, each of them columns of one sort: names, addresses, UUIDs, numbers.
:func:`cuts` tells where blocks begin; a compressor that begins a new block of its own there
(``dictionary.compress_blocks``) gives each its own code table, which makes a menu 4 % smaller.

What has no columns (single records, promotions, strains) is written as a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from typing import Any

import msgspec

from weedhounds.codec import whb_row
from weedhounds.codec.base import Encodable
from weedhounds.codec.columns_lists import (
    LabResultsHead,
    ShopsHead,
    join_lab_results,
    join_shops,
    split_lab_results,
    split_shops,
)
from weedhounds.codec.columns_menus import MenuHead, PricesHead, join_menu, join_prices, split_menu, split_prices
from weedhounds.codec.whb_row import ROW_ERRORS
from weedhounds.errors import Corrupt
from weedhounds.model.records import LabResultList, Menu, PriceList, ShopList

MARK = b"\xc1"
_START = 1 + 4
_MOST_BLOCKS = 16

Head = MenuHead | PricesHead | ShopsHead | LabResultsHead

_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_decoder: msgspec.msgpack.Decoder[Head] = msgspec.msgpack.Decoder(Head)


def encode_payload(record: Encodable) -> bytes:
    """Return the columns of a list; the row of anything else.

    Raises:
        Corrupt: it holds too many records, integers over 64 bits, lone surrogates, NaN or infinities.
    """
    split = _SPLITS.get(type(record))
    if split is None:
        return whb_row.encode_payload(record)
    try:
        head, blocks = split(record)
        written = _encoder.encode(msgspec.structs.replace(head, lengths=list(map(len, blocks))))
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError, RecursionError) as error:
        raise Corrupt(f"columns cannot hold it: {error}") from error
    return b"".join([MARK, len(written).to_bytes(4, "little"), written, *blocks])


def decode_payload(data: bytes) -> Encodable:
    """Return the record of columns, or of a row.

    Raises:
        Corrupt: neither, or columns that do not fit each other.
    """
    if data[:1] != MARK:
        return whb_row.decode_payload(data)
    try:
        head, starts = _read_head(data)
        blocks = [data[start:end] for start, end in pairwise(starts)]
        return _JOINS[type(head)](head, blocks)
    except (*ROW_ERRORS, ValueError, IndexError) as error:
        raise Corrupt(f"not columns: {error}") from error


def cuts(payload: bytes) -> list[int]:
    """Return where the blocks of our own payload begin and the last one ends; empty for a row."""
    return _read_head(payload)[1] if payload[:1] == MARK else []


def _read_head(data: bytes) -> tuple[Head, list[int]]:
    end = _START + int.from_bytes(data[1:_START], "little")
    head = _decoder.decode(data[_START:end])
    if len(head.lengths) > _MOST_BLOCKS or min(head.lengths, default=0) < 0:
        raise Corrupt("columns with impossible blocks")
    starts = list(accumulate(head.lengths, initial=end))
    if starts[-1] != len(data):
        raise Corrupt("columns are cut")
    return head, starts


_SPLITS: Mapping[type, Callable[[Any], tuple[Head, list[bytes]]]] = {
    Menu: split_menu,
    PriceList: split_prices,
    ShopList: split_shops,
    LabResultList: split_lab_results,
}
_JOINS: Mapping[type, Callable[[Any, list[bytes]], Encodable]] = {
    MenuHead: join_menu,
    PricesHead: join_prices,
    ShopsHead: join_shops,
    LabResultsHead: join_lab_results,
}
