"""Rows of the second layout: exact, bounded, refused where they are none."""

from __future__ import annotations

import math
import struct
import zlib
from decimal import Decimal

import msgspec
import pytest

from golden_codec_records import RECORDS, SINGLES
from record_strategies import typed
from weedhounds.codec import Compression, Encodable, Format, decode, encode, encode_body
from weedhounds.codec.base import SECOND_ROWS, payload_codec
from weedhounds.codec.dictionary_store import SHIPPED
from weedhounds.codec.envelope import MIDDLE_FRAME, SHORT_FRAME, open_envelope, payload_bytes, seal
from weedhounds.codec.whb_row import decode_payload, encode_payload
from weedhounds.codec.whb_shops import MEMOISED_SHOPS, _keyed
from weedhounds.errors import Corrupt, UnknownVersion
from weedhounds.model.records import LabResult, Menu, Offer, Product, ShopRef
from weedhounds.model.units import Money

_offer, _lab = SINGLES["offer"], SINGLES["lab_result"]
assert isinstance(_offer, Offer)
assert isinstance(_lab, LabResult)
OFFER, LAB = _offer, _lab
REF = ShopRef(key="dispensary_info:jane:4711", id="4711")


def there_and_back(record: Encodable) -> Encodable:
    return decode(encode(record, Format.WHB_ROW, Compression.ZSTD_DICT))


@pytest.mark.parametrize(
    "shop",
    [
        None,
        REF,
        ShopRef(key="dispensary_info:jane:6455f0b1", id="6455f0b1"),
        ShopRef(key="dispensary_info:jane:A%2Fb", id="A/b"),
        ShopRef(key="", id=""),
        ShopRef(key="dispensary_info::", id=""),
        ShopRef(key=f"dispensary_info:jane:{'9' * 400}", id="9" * 400),
        ShopRef(key="dispensary_info:jane:4711", id="4711", name="Sample Shop"),
        ShopRef(key="dispensary_info:jane:4711", id="4711", lat=-0.0, lon=0.0),
    ],
)
def test_an_offer_of_any_shop_comes_back(shop: ShopRef | None) -> None:
    offer = msgspec.structs.replace(OFFER, shop=shop)
    for _ in range(2):  # the second time from the memos
        assert typed(there_and_back(offer)) == typed(offer)


def test_offers_of_a_shop_share_what_is_told_of_it() -> None:
    ones, others = (there_and_back(msgspec.structs.replace(OFFER, shop=REF, product=name)) for name in "ab")
    assert isinstance(ones, Offer)
    assert isinstance(others, Offer)
    assert ones.shop is others.shop
    assert _keyed.cache_parameters()["maxsize"] == MEMOISED_SHOPS


def test_long_ids_are_not_kept_by_the_memo() -> None:
    before = _keyed.cache_info().currsize
    for digit in "12345":
        own = digit * 300
        assert there_and_back(msgspec.structs.replace(OFFER, shop=ShopRef(key=f"dispensary_info:jane:{own}", id=own)))
    assert _keyed.cache_info().currsize == before


@pytest.mark.parametrize(
    ("price", "regular"),
    [
        ("35.00", "35.00"),
        ("35.0", "35.00"),
        ("35", "35.00"),
        ("0", "-0"),
        ("0.00", "0.00"),
        ("-0.0", "-0.0"),
        ("1E+2", "100"),
    ],
)
def test_prices_keep_their_digits_and_signs(price: str, regular: str) -> None:
    offer = msgspec.structs.replace(OFFER, price=Money(Decimal(price)), list_price=Money(Decimal(regular)))
    assert typed(there_and_back(offer)) == typed(offer)
    other = msgspec.structs.replace(offer, list_price=Money(Decimal(regular), "EUR"))
    assert typed(there_and_back(other)) == typed(other)


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity", "NaN123"])
@pytest.mark.parametrize("field", ["price", "list_price"])
def test_a_price_that_is_no_number_is_refused_both_ways(amount: str, field: str) -> None:
    with pytest.raises(Corrupt, match="none"):
        encode_payload(msgspec.structs.replace(OFFER, **{field: Money(Decimal(amount))}))
    row = msgspec.msgpack.decode(encode_payload(msgspec.structs.replace(OFFER, list_price=Money(Decimal(1)))))
    row[12 if field == "price" else 13]["amount"] = amount
    with pytest.raises(Corrupt, match="none"):
        decode_payload(msgspec.msgpack.encode(row))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused_both_ways(number: float) -> None:
    for record in (
        msgspec.structs.replace(OFFER, quantity=number),
        msgspec.structs.replace(LAB, terpenes=(msgspec.structs.replace(LAB.cannabinoids[0], value=number),)),
    ):
        with pytest.raises(Corrupt, match="none"):
            encode_payload(record)
    row = encode_payload(msgspec.structs.replace(OFFER, quantity=1.5))
    eight, four = struct.pack(">d", number), struct.pack(">f", number)
    assert row.endswith(b"\xcb" + struct.pack(">d", 1.5))
    for end in (b"\xcb" + eight, b"\xca" + four):
        with pytest.raises(Corrupt, match="none"):
            decode_payload(row[:-9] + end)


def test_bytes_that_look_like_no_number_are_no_harm() -> None:
    looks = bytes.fromhex("cb7ff0cbfff8ca7f80ca")
    offer = msgspec.structs.replace(OFFER, shop=ShopRef(key=f"dispensary_info:jane:{looks.hex()}", id=looks.hex()))
    assert looks in encode_payload(offer)
    assert there_and_back(offer) == offer


def test_a_float_of_four_bytes_that_is_no_number_is_refused_in_messagepack_too() -> None:
    menu = Menu(origin="jane", shop_id="1", products=(Product(id="1", name="a", origin="jane", updated_at=1.5),))
    payload = payload_codec(Format.MSGPACK).encode_payload(menu)
    eight = b"\xcb" + struct.pack(">d", 1.5)
    assert payload.count(eight) == 1
    assert (
        payload_codec(Format.MSGPACK).decode_payload(payload.replace(eight, b"\xca" + struct.pack(">f", 1.5))) == menu
    )
    for number in (math.nan, math.inf, -math.inf):
        with pytest.raises(Corrupt, match="none"):
            payload_codec(Format.MSGPACK).decode_payload(payload.replace(eight, b"\xca" + struct.pack(">f", number)))


def test_a_frame_has_the_shortest_header_and_says_the_payloads_length() -> None:
    seen = set()
    for size in (1, 60, 300, 5_000, 70_000, 700_000):
        text = "".join(chr(97 + n * n % 23) for n in range(size))
        offer = Offer(**{name: getattr(OFFER, name) for name in OFFER.__struct_fields__} | {"product": text})
        data, length = encode(offer, Format.WHB_ROW, Compression.ZSTD_DICT), len(encode_payload(offer))
        opened = open_envelope(data)
        assert (opened.format, opened.length, payload_bytes(data)) == (Format.WHB_ROW, length, length)
        assert opened.compression is Compression.ZSTD_DICT
        assert decode(data) == offer
        with pytest.raises(Corrupt):
            decode(data, max_bytes=length - 1)
        seen.add(data[8])
    assert seen == {MIDDLE_FRAME, 0xA0}


def test_a_short_row_has_a_length_of_one_byte() -> None:
    product = Product(id="1234567", name="Sample Kush 3.5g", origin="leafly", brand="Sample Farms")
    data = encode(product, Format.WHB_ROW, Compression.ZSTD_DICT)
    assert data[8] == SHORT_FRAME
    assert data[9] == len(encode_payload(product)) == payload_bytes(data)
    assert decode(data) == product


@pytest.mark.parametrize("byte", [0x00, 0x21, 0x40, 0x61, 0x80, 0xE0])
def test_another_header_of_a_frame_is_refused(byte: int) -> None:
    data = encode(OFFER, Format.WHB_ROW, Compression.ZSTD_DICT)
    opened = open_envelope(data)
    whole = data[:8] + bytes([byte]) + data[9:-4]
    with pytest.raises(Corrupt, match="header of a frame"):
        decode(whole + zlib.crc32(whole).to_bytes(4, "little"))
    first = seal(opened.stored[1:], Format.WHB_ROW, Compression.ZSTD_DICT, length=opened.length, named=opened.named)
    short = first[:8] + bytes([SHORT_FRAME]) + first[9:-4]
    with pytest.raises(Corrupt, match="header of a frame"):  # the first layout knows one header alone
        decode(short + zlib.crc32(short).to_bytes(4, "little"))


def test_an_unknown_dictionary_of_the_second_layout_is_named() -> None:
    data = encode(OFFER, Format.WHB_ROW, Compression.ZSTD_DICT)
    whole = data[:4] + b"\1\2\3\4" + data[8:-4]
    with pytest.raises(UnknownVersion, match="01020304"):
        decode(whole + zlib.crc32(whole).to_bytes(4, "little"))


def test_only_rows_of_the_second_layout_have_its_number() -> None:
    assert encode(OFFER, Format.WHB_ROW, Compression.NONE)[3] >> 4 == SECOND_ROWS
    assert encode(SINGLES["shop"], Format.WHB_ROW, Compression.NONE)[3] >> 4 == 6
    menu, labs = RECORDS["menu"], RECORDS["lab_result_list"]
    assert encode_body(menu)[3] >> 4 == 6
    assert encode_body(labs)[3] >> 4 == 6


def test_the_newest_shipped_dictionaries_are_of_the_second_layout() -> None:
    for kind in ("offer", "product", "lab_result"):
        found = SHIPPED.newest(kind, Format.WHB_ROW)
        assert found is not None
        older = [each for each in SHIPPED if each.kind == kind and each.format is Format.WHB_ROW]
        assert len(older) == 2
        assert older[-1] is found
        record = SINGLES[kind]
        sizes = [len(encode(record, Format.WHB_ROW, Compression.ZSTD_DICT, dictionary=each)) for each in older]
        assert sizes[1] < sizes[0]
