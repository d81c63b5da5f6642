"""The envelope finds any damage, and hostile bytes never cost more than they are worth."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from random import Random

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sample_entries import menu, price_list
from weedhounds.codec import decode_body, encode_body
from weedhounds.codec.envelope import (
    COMPRESS_FROM_BYTES,
    COMPRESSION_NONE,
    COMPRESSION_ZSTD,
    FORMAT_MSGPACK,
    HEADER_BYTES,
    MAX_BODY_BYTES,
    VERSION,
    payload_bytes,
    unwrap,
    wrap,
)
from weedhounds.errors import CodecError, Corrupt, UnknownVersion
from weedhounds.model.records import Body

SMALL = encode_body(menu("1", products=2))
LARGE = encode_body(menu("1", products=60))


def sealed(
    stored: bytes,
    *,
    length: int,
    compression: int = COMPRESSION_NONE,
    version: int = VERSION,
    format_: int = FORMAT_MSGPACK,
) -> bytes:
    """Return an envelope whose checksum is right, whatever it holds: what an attacker can make."""
    head = struct.pack(">2sBBB3xI", b"wh", version, format_, compression, length)
    return head + struct.pack(">I", zlib.crc32(stored, zlib.crc32(head))) + stored


def zstd(payload: bytes, *, states_size: bool = False) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=states_size).compress(payload)


@given(st.binary(max_size=5_000))
def test_any_payload_survives(payload: bytes) -> None:
    assert unwrap(wrap(payload)) == payload


@pytest.mark.parametrize("body", [menu("1"), menu("Größe ü", products=200), price_list("9", 300)])
def test_any_record_survives(body: Body) -> None:
    assert decode_body(encode_body(body)) == body


def test_only_what_is_long_and_gets_shorter_is_compressed() -> None:
    noise = Random(1).randbytes(4 * COMPRESS_FROM_BYTES)
    assert len(wrap(b"x" * COMPRESS_FROM_BYTES)) == HEADER_BYTES + COMPRESS_FROM_BYTES
    assert len(wrap(b"x" * 10 * COMPRESS_FROM_BYTES)) < COMPRESS_FROM_BYTES
    assert len(wrap(noise)) == HEADER_BYTES + len(noise)


def test_every_flipped_bit_of_a_small_body_is_found() -> None:
    for bit in range(8 * len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            unwrap(bytes(damaged))


def test_flipped_bits_of_a_compressed_body_are_found() -> None:
    rng = Random(2)
    for _ in range(2_000):
        damaged = bytearray(LARGE)
        damaged[rng.randrange(len(LARGE))] ^= 1 << rng.randrange(8)
        with pytest.raises(Corrupt):
            decode_body(bytes(damaged))


@pytest.mark.parametrize("whole", [SMALL, LARGE], ids=["plain", "compressed"])
def test_every_truncation_is_found(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(Corrupt):
            decode_body(whole[:length])


@pytest.mark.parametrize("whole", [SMALL, LARGE], ids=["plain", "compressed"])
def test_bytes_added_at_the_end_are_found(whole: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_body(whole + b"\0")


@given(st.binary(max_size=200))
def test_bytes_of_no_envelope_are_corrupt(noise: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_body(noise)


@pytest.mark.parametrize(
    "unknown",
    [{"version": 2}, {"version": 0}, {"format_": 9}, {"compression": 2}, {"compression": 255}],
    ids=str,
)
def test_what_another_version_wrote_is_unknown_not_corrupt(unknown: dict[str, int]) -> None:
    with pytest.raises(UnknownVersion):
        unwrap(sealed(b"payload", length=7, **unknown))


def test_a_body_over_the_limit_is_not_wrapped() -> None:
    with pytest.raises(Corrupt, match="over the limit"):
        wrap(bytes(MAX_BODY_BYTES + 1))


@pytest.mark.parametrize("length", [0, 6, 8, MAX_BODY_BYTES + 1, 2**32 - 1])
@pytest.mark.parametrize("compression", [COMPRESSION_NONE, COMPRESSION_ZSTD])
def test_a_wrong_declared_length_is_corrupt(length: int, compression: int) -> None:
    stored = zstd(b"payload") if compression else b"payload"
    with pytest.raises(Corrupt):
        unwrap(sealed(stored, length=length, compression=compression))


@pytest.mark.parametrize("states_size", [True, False])
@pytest.mark.parametrize("length", [100, 1_000_000])
def test_a_bomb_is_not_blown_up(states_size: bool, length: int) -> None:
    bomb = sealed(zstd(bytes(300 * 2**20), states_size=states_size), length=length, compression=COMPRESSION_ZSTD)
    assert len(bomb) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(Corrupt):
            unwrap(bomb)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "stored",
    [b"", b"\x28\xb5\x2f\xfd", b"no zstd frame", zstd(b"payload") + b"more", zstd(b"payload") * 2],
    ids=["nothing", "magic alone", "no frame", "trailing bytes", "two frames"],
)
def test_a_broken_frame_is_corrupt(stored: bytes) -> None:
    with pytest.raises(Corrupt):
        unwrap(sealed(stored, length=7, compression=COMPRESSION_ZSTD))


def packed(**fields: object) -> bytes:
    return msgspec.msgpack.encode({"type": "menu", "origin": "o", "shop_id": "1", "products": [], **fields})


HOSTILE = {
    "nothing": b"",
    "null": b"\xc0",
    "another shape": b"\x93\x01\x02\x03",
    "deep nesting": b"\x91" * 500_000,
    "deep nesting in an unknown field": b"\x85\xa1x" + b"\x91" * 500_000,
    "a list of four thousand million": packed()[:-1] + b"\xdd\xff\xff\xff\xff",
    "a text of four thousand million": b"\x81\xa4type\xdb\xff\xff\xff\xff",
    "text that is no UTF-8": packed(origin="??").replace(b"??", b"\xff\xfe"),
    "a lone surrogate": packed(origin="???").replace(b"???", b"\xed\xa0\x80"),
    "a number for a text": packed(origin=5),
    "an unknown record": packed(type="review"),
    "a missing field": msgspec.msgpack.encode({"type": "menu", "origin": "o"}),
    "a price that is no number": msgspec.msgpack.encode(
        {
            "type": "price_list",
            "origin": "o",
            "shop_id": "1",
            "prices": [
                {
                    "type": "price",
                    "product_id": "1",
                    "variant_label": "x",
                    "variant": None,
                    "market": "rec",
                    "price": {"amount": "much"},
                    "list_price": {"amount": "1"},
                }
            ],
        }
    ),
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_payload_with_a_right_checksum_is_corrupt(payload: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_body(sealed(payload, length=len(payload)))


@given(st.binary(max_size=300))
def test_any_payload_with_a_right_checksum_decodes_or_is_a_codec_error(payload: bytes) -> None:
    try:
        decode_body(sealed(payload, length=len(payload)))
    except CodecError:
        return


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"short", 5),
        (wrap(b"x" * 50_000), 50_000),
        (sealed(b"", length=2**32 - 1), MAX_BODY_BYTES),
    ],
    ids=["nothing", "no envelope", "compressed", "absurd"],
)
def test_the_length_to_weigh_by_is_the_declared_one_within_the_limit(data: bytes, expected: int) -> None:
    assert payload_bytes(data) == expected
