"""A patch makes the new version of exactly the base that it names, or says what it needs."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from record_strategies import RECORD_TYPES, WILD, any_records, filled, records, typed
from sample_entries import menu, price_list
from weedhounds.codec import Compression, Format, decode, encode, encode_body
from weedhounds.codec.base import MAX_BODY_BYTES
from weedhounds.codec.envelope import open_envelope, seal
from weedhounds.codec.patch import decode_patch, encode_patch, is_patch
from weedhounds.errors import BadInput, Corrupt, UnknownVersion
from weedhounds.model.records import Menu
from weedhounds.model.units import Potency

BASE = menu("1", products=200)


def refreshed(body: Menu, share: float, seed: int) -> Menu:
    """Return a menu in which a share of the products have another potency."""
    rng = Random(seed)
    chosen = set(rng.sample(range(len(body.products)), round(share * len(body.products))))
    products = []
    for number, product in enumerate(body.products):
        if number in chosen:
            thc = round(rng.uniform(10, 30), 2)
            product = msgspec.structs.replace(product, potency={"thc": Potency(thc, thc, "%")})
        products.append(product)
    return msgspec.structs.replace(body, products=tuple(products))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_record_comes_back_from_any_base(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(RECORD_TYPES))
    base, record = data.draw(records(kind)), data.draw(records(kind))
    assert typed(decode_patch(encode_patch(record, base), base)) == typed(record)


@settings(max_examples=40, deadline=None)
@given(any_records(WILD), any_records(WILD))
def test_a_wild_record_comes_back_or_is_refused(record: Any, base: Any) -> None:
    try:
        data = encode_patch(record, base)
    except Corrupt:
        return
    assert typed(decode_patch(data, base)) == typed(record)


def test_a_refresh_of_a_menu_costs_little() -> None:
    new = refreshed(BASE, 0.06, seed=1)
    patch = encode_patch(new, BASE)
    assert decode_patch(patch, BASE) == new
    assert len(patch) < 200 < len(encode_body(new)) / 5


def test_a_record_that_has_not_changed_is_a_patch_of_a_few_bytes() -> None:
    patch = encode_patch(BASE, BASE)
    assert len(patch) < 50
    assert decode_patch(patch, BASE) == BASE


def test_a_base_may_be_a_body_of_any_format() -> None:
    new = refreshed(BASE, 0.06, seed=2)
    patch = encode_patch(new, encode(BASE, Format.JSON, Compression.GZIP))
    assert decode_patch(patch, encode(BASE, Format.WHB_COLUMN, Compression.NONE)) == new
    assert patch == encode_patch(new, BASE)


def test_another_base_is_refused_by_name() -> None:
    patch = encode_patch(refreshed(BASE, 0.06, seed=3), BASE)
    for other in (menu("2", products=200), refreshed(BASE, 0.01, seed=4), price_list("1", 3)):
        with pytest.raises(UnknownVersion, match=open_envelope(patch).named.hex()):
            decode_patch(patch, other)


def test_a_patch_is_told_from_a_whole_record() -> None:
    whole, patch = encode_body(BASE), encode_patch(BASE, BASE)
    assert (is_patch(whole), is_patch(patch)) == (False, True)
    with pytest.raises(Corrupt, match="not a patch"):
        decode_patch(whole, BASE)
    with pytest.raises(UnknownVersion, match="a patch of the payload"):
        decode(patch)


def test_every_flipped_bit_and_truncation_is_found() -> None:
    patch = encode_patch(refreshed(BASE, 0.03, seed=5), BASE)
    for bit in range(8 * len(patch)):
        damaged = bytearray(patch)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            decode_patch(bytes(damaged), BASE)
    for length in range(len(patch)):
        with pytest.raises(Corrupt):
            decode_patch(patch[:length], BASE)


@pytest.mark.parametrize("length", [0, 1, 10_000_000, MAX_BODY_BYTES, 2**32 - 1])
def test_a_patch_of_another_length_is_refused_before_it_is_allocated(length: int) -> None:
    patch = bytearray(encode_patch(BASE, BASE)[:-4])
    patch[13:17] = struct.pack("<I", length)
    forged = bytes(patch) + struct.pack("<I", zlib.crc32(bytes(patch)))
    tracemalloc.start()
    try:
        with pytest.raises(Corrupt):
            decode_patch(forged, menu("1", products=200))
        assert tracemalloc.get_traced_memory()[1] < 3_000_000 + 10 * length * (length < 20_000_000)
    finally:
        tracemalloc.stop()


def test_a_patch_of_a_format_that_has_none_is_unknown() -> None:
    opened = open_envelope(encode_patch(BASE, BASE))
    forged = seal(opened.stored[5:], Format.JSON, None, length=opened.length, named=opened.named)
    with pytest.raises(UnknownVersion, match="format json"):
        decode_patch(forged, BASE)


@pytest.mark.parametrize("level", [0, -3, 23])
def test_a_level_that_zstd_has_not_is_refused(level: int) -> None:
    with pytest.raises(BadInput, match="levels 1 to 22"):
        encode_patch(BASE, BASE, level=level)


def test_bodies_of_every_type_can_be_patched() -> None:
    for kind in RECORD_TYPES:
        old, new = filled(kind, 2), filled(kind, 3)
        assert typed(decode_patch(encode_patch(new, old), old)) == typed(new)
