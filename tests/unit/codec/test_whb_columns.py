"""Columns and rows of lists: exact, bounded, and never another record than was written."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from record_strategies import records, typed
from sample_entries import menu, price_list
from weedhounds.codec import Compression, Encodable, Format, decode, encode, whb_column, whb_row
from weedhounds.codec.base import MAX_ITEMS
from weedhounds.codec.dictionary_store import SHIPPED
from weedhounds.codec.envelope import open_envelope, seal
from weedhounds.codec.kinds import kind_of
from weedhounds.errors import CodecError, Corrupt
from weedhounds.model.records import (
    Category,
    LabResult,
    LabResultList,
    Menu,
    Offer,
    Price,
    PriceList,
    Product,
    Shop,
    ShopList,
    ShopRef,
)
from weedhounds.model.units import Amount, Money, Reading

LISTS = (Menu, PriceList, ShopList, LabResultList)
CODECS = {"row": whb_row, "column": whb_column}
codecs = pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))


def forged(payload: bytes, format_: Format = Format.WHB_ROW) -> bytes:
    """Return an envelope with a right checksum, whatever it holds: what an attacker can make."""
    return seal(payload, format_, Compression.NONE, length=len(payload))


@codecs
@pytest.mark.parametrize("kind", LISTS, ids=lambda kind: kind.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_lists_of_any_length_come_back(codec: Any, kind: Any, data: st.DataObject) -> None:
    """Longer lists than the strategies make of themselves: columns differ with the number of different values."""
    one = data.draw(records(kind))
    field = {Menu: "products", PriceList: "prices", ShopList: "shops", LabResultList: "results"}[kind]
    items = getattr(one, field)
    body = msgspec.structs.replace(one, **{field: items * data.draw(st.integers(0, 120))})
    assert typed(codec.decode_payload(codec.encode_payload(body))) == typed(body)


def many_brands(count: int) -> Menu:
    products = tuple(
        Product(id=str(n), name=f"Haze {n}", origin="jane", brand=f"Brand {n}", slug=f"haze-{n}") for n in range(count)
    )
    return Menu(origin="jane", shop_id="1", products=products)


@codecs
@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 300, 70_000])
def test_indexes_grow_with_the_number_of_values(codec: Any, count: int) -> None:
    body = many_brands(count)
    assert codec.decode_payload(codec.encode_payload(body)) == body


SHOP = Shop(key="dispensary_info:o:1", origin="o", id="1", name="n")
PRICE = Price(
    product_id="1",
    variant_label="1 g",
    variant=Amount(1.0, "g"),
    market="rec",
    price=Money(Decimal("9.95")),
    list_price=Money(Decimal("9.95")),
)
MIXED: dict[str, Encodable] = {
    "products of several origins": Menu(
        origin="jane",
        shop_id="1",
        products=(Product(id="1", name="a", origin="jane"), Product(id="2", name="b", origin="leafly")),
    ),
    "shops of several origins": ShopList(
        origin="a", cell="", shops=(SHOP, msgspec.structs.replace(SHOP, origin="b", key="another"))
    ),
    "results of several origins": LabResultList(
        origin="a", results=(LabResult(id="1", origin="a", product="p"), LabResult(id="1", origin="b", product="p"))
    ),
    "prices in several currencies": PriceList(
        origin="a",
        shop_id="1",
        prices=(
            PRICE,
            msgspec.structs.replace(PRICE, price=Money(Decimal("1"), "CAD")),
            msgspec.structs.replace(PRICE, list_price=Money(Decimal("9.95"), "EUR")),
            msgspec.structs.replace(PRICE, list_price=Money(Decimal("9.950"))),
        ),
    ),
    "one label for several amounts": PriceList(
        origin="a",
        shop_id="1",
        prices=(
            PRICE,
            msgspec.structs.replace(PRICE, variant=Amount(-0.0, "g")),
            msgspec.structs.replace(PRICE, variant=Amount(0.0, "g")),
            msgspec.structs.replace(PRICE, variant=None),
        ),
    ),
    "an offer of a shop told in full": Offer(
        shop=ShopRef(key="dispensary_info:o:a%20b", id="a b", name="n", address="s", lat=1.0, lon=-2.0),
        product_id="1", product="p", brand=None, strain=None, strain_type=None, category=Category.FLOWER, subcategory=None,
        market="rec", variant_label="", variant=None, price=PRICE.price, list_price=PRICE.list_price, potency={},
        terpenes=(), lab=None, promotions=(), in_stock=None, quantity=None,
    ),
    "a strain that is its product's name, and one that looks like it": LabResultList(
        origin="a",
        results=(
            LabResult(id="1", origin="a", product="Haze", strain="Haze"),
            LabResult(id="2", origin="a", product="Haze", strain="\0"),
        ),
    ),
    "readings of several panels": LabResultList(
        origin="a",
        results=tuple(
            LabResult(
                id=str(n),
                origin="a",
                product="p",
                cannabinoids=(Reading("thc", 0.1 * n, "%"),),
                terpenes=(Reading("x\ny", 1.0, "%", 2.0),) * (n % 2),
            )
            for n in range(5)
        ),
    ),
}  # fmt: skip


@codecs
@pytest.mark.parametrize("record", MIXED.values(), ids=list(MIXED))
def test_lists_that_are_not_of_one_piece_come_back(codec: Any, record: Encodable) -> None:
    back = codec.decode_payload(codec.encode_payload(record))
    assert back == record
    assert repr(back) == repr(record)


@codecs
def test_values_that_are_equal_and_not_the_same_are_kept_apart(codec: Any) -> None:
    amounts = ("35.00", "35.0", "35", "3E+1", "-0.00", "0.00")
    body = PriceList(
        origin="a",
        shop_id="1",
        prices=tuple(msgspec.structs.replace(PRICE, price=Money(Decimal(amount))) for amount in amounts),
    )
    back = codec.decode_payload(codec.encode_payload(body))
    assert [str(price.price.amount) for price in back.prices] == list(amounts)


@codecs
def test_more_records_than_a_list_may_have_are_refused(codec: Any) -> None:
    one = many_brands(1).products
    with pytest.raises(Corrupt, match="over the limit"):
        codec.encode_payload(Menu(origin="a", shop_id="1", products=one * (MAX_ITEMS + 1)))
    with pytest.raises(Corrupt, match="over the limit"):
        codec.encode_payload(ShopList(origin="a", cell="", shops=(SHOP,) * (MAX_ITEMS + 1)))


def array(count: int, item: bytes) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big") + item * count


HOSTILE_ROWS = {
    "a million shops": b"\x94\x11\xa0\xa0" + array(1_000_000, b"\x93\x01\xa0\xa0"),
    "a million products": b"\x94\x17\xa0\xa0" + array(1_000_000, b"\x93\x02\xa0\xa0"),
    "a million ids": b"\xdc\x00\x11\x12\xa0\xa0" + array(1_000_000, b"\xa0"),
    "a list that claims four billion": b"\x94\x11\xa0\xa0\xdd\xff\xff\xff\xff",
    "a text that claims four gigabytes": b"\x94\x11\xdb\xff\xff\xff\xff",
    "columns of different lengths": whb_row.encode_payload(menu("1", 3)).replace(b"\x93\xa50", b"\x92\xa50", 1),
}


@pytest.mark.parametrize("payload", HOSTILE_ROWS.values(), ids=list(HOSTILE_ROWS))
def test_hostile_rows_are_refused_in_little_memory(payload: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Corrupt):
            decode(forged(payload))
        assert tracemalloc.get_traced_memory()[1] < 3 * len(payload) + 100_000
    finally:
        tracemalloc.stop()


def head_of(record: Encodable, **changes: object) -> bytes:
    """Return the columns of a record with other values in their head."""
    payload = whb_column.encode_payload(record)
    end = 5 + int.from_bytes(payload[1:5], "little")
    head = msgspec.structs.replace(whb_column._decoder.decode(payload[5:end]), **changes)
    written = whb_column._encoder.encode(head)
    return b"\xc1" + len(written).to_bytes(4, "little") + written + payload[end:]


HOSTILE_COLUMNS: dict[str, Callable[[], bytes]] = {
    "no head": lambda: b"\xc1",
    "a head that claims four gigabytes": lambda: b"\xc1\xff\xff\xff\xff",
    "more records than there are": lambda: head_of(menu("1", 5), count=6),
    "very many records": lambda: head_of(menu("1", 5), count=2**40),
    "a negative number of records": lambda: head_of(menu("1", 5), count=-1),
    "blocks that overlap": lambda: head_of(menu("1", 5), lengths=[-1, 1]),
    "blocks beyond the end": lambda: head_of(menu("1", 5), lengths=[10**9] * 7),
    "too many blocks": lambda: head_of(menu("1", 5), lengths=[0] * 100),
    "too few blocks": lambda: head_of(menu("1", 5), lengths=[len(whb_column.encode_payload(menu("1", 5)))]),
    "an index without a value": lambda: head_of(menu("1", 5), brand=(["a"], b"\x00\x01\x00\x00\x00")),
    "indexes of half a width": lambda: head_of(menu("1", 5), brand=(["a"], b"\x00" * 7)),
    "no table": lambda: head_of(menu("1", 5), brand=([], b"")),
    "contents that nobody tells": lambda: head_of(menu("1", 5), told=b"\x09" * 5),
    "very many contents": lambda: head_of(menu("1", 5), told=b"\xff" * 40),
    "a number that is none": lambda: head_of(menu("1", 5), highs=[float("nan")] * 5),
    "very many prices of one product": lambda: head_of(price_list("1", 5), count=99_999),
    "prices that are none": lambda: head_of(price_list("1", 5), cash=["NaN"] * 5),
    "prices in no currency": lambda: head_of(price_list("1", 5), currency=([None], b"")),
}


@pytest.mark.parametrize("make", HOSTILE_COLUMNS.values(), ids=list(HOSTILE_COLUMNS))
def test_hostile_columns_are_refused_in_little_memory(make: Callable[[], bytes]) -> None:
    payload = make()
    tracemalloc.start()
    try:
        with pytest.raises(Corrupt):
            decode(forged(payload, Format.WHB_COLUMN))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("record", [menu("1", 40), price_list("2", 40), *MIXED.values()], ids=lambda _: "")
@pytest.mark.parametrize("format_", [Format.WHB_ROW, Format.WHB_COLUMN], ids=str)
def test_a_changed_payload_with_a_right_checksum_is_a_record_or_a_codec_error(
    format_: Format, record: Encodable
) -> None:
    payload = encode(record, format_, Compression.NONE)[8:-4]
    rng = Random(7)
    for _ in range(300):
        changed = bytearray(payload)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(changed))
            changed[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 2))
        try:
            again = decode(forged(bytes(changed), format_))
        except CodecError:
            continue
        try:
            assert decode(encode(again, format_, Compression.NONE)) == again
        except Corrupt:  # a number that is read and not written
            continue


def test_what_has_no_columns_is_a_row() -> None:
    for record in (menu("1", 1).products[0], SHOP):
        assert whb_column.encode_payload(record) == whb_row.encode_payload(record)
    assert whb_column.cuts(whb_row.encode_payload(SHOP)) == []


def test_columns_are_compressed_in_blocks_of_their_own() -> None:
    body = many_brands(300)
    payload = whb_column.encode_payload(body)
    cuts = whb_column.cuts(payload)
    assert cuts == sorted(cuts)
    assert cuts[-1] == len(payload)
    own = SHIPPED.newest(kind_of(body), Format.WHB_COLUMN)
    assert own is not None
    data = encode(body, Format.WHB_COLUMN, Compression.ZSTD_DICT)
    assert decode(data) == body
    assert open_envelope(data).stored[5:] == own.compress_blocks(payload, cuts, 9) != own.compress(payload, 9)


@pytest.mark.parametrize("count", [60, 300])
def test_columns_are_smaller_than_rows_and_those_than_version_1(count: int) -> None:
    body = many_brands(count)
    sizes = [
        len(encode(body, format_, Compression.ZSTD_DICT if format_ is not Format.MSGPACK else Compression.ZSTD))
        for format_ in (Format.WHB_COLUMN, Format.WHB_ROW, Format.MSGPACK)
    ]
    assert sizes == sorted(sizes)
