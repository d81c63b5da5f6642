"""The envelope finds any damage, names what it does not know, and never costs more than its bytes are worth."""

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
from weedhounds.codec import Compression, Encodable, Format, decode, decode_body, encode, encode_body
from weedhounds.codec.base import FREE_BYTES, MAX_BODY_BYTES
from weedhounds.codec.dictionary_store import SHIPPED
from weedhounds.codec.envelope import open_envelope, payload_bytes, seal
from weedhounds.errors import CodecError, Corrupt, UnknownVersion
from weedhounds.model.records import Menu

SMALL = encode_body(menu("1", products=2))
LARGE = encode_body(menu("1", products=60))


def sealed_v1(stored: bytes, *, length: int, compression: int = 0, format_: int = 1) -> bytes:
    """Return an envelope of version 1 whose checksum is right, whatever it holds: what an attacker can make."""
    head = struct.pack(">2sBBB3xI", b"wh", 1, format_, compression, length)
    return head + struct.pack(">I", zlib.crc32(stored, zlib.crc32(head))) + stored


def checked(start: bytes) -> bytes:
    """Return bytes with the checksum that makes an envelope of them."""
    return start + struct.pack("<I", zlib.crc32(start))


def zstd(payload: bytes, *, states_size: bool = False) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=states_size).compress(payload)


@given(
    st.binary(max_size=3_000),
    st.sampled_from(list(Format)),
    st.sampled_from(list(Compression)),
    st.integers(0, FREE_BYTES),
)
def test_what_is_sealed_is_told_when_opened(
    stored: bytes, format_: Format, compression: Compression, length: int
) -> None:
    named = b"\x01\x02\x03\x04" if compression is Compression.ZSTD_DICT else b""
    opened = open_envelope(seal(stored, format_, compression, length=length, named=named))
    assert (opened.version, opened.format, opened.compression, opened.length) == (2, format_, compression, length)
    assert opened.named == named
    assert opened.stored.endswith(stored)


def test_a_patch_names_its_base() -> None:
    opened = open_envelope(seal(b"blocks", Format.WHB_ROW, None, length=9, named=b"\x07" * 8))
    assert (opened.compression, opened.named, opened.length) == (None, b"\x07" * 8, 9)


@pytest.mark.parametrize(
    "body", [menu("1"), menu("Größe ü", products=200), price_list("9", 300), menu("0", products=0)]
)
def test_any_body_survives(body: Menu) -> None:
    assert decode_body(encode_body(body)) == body


def test_a_small_record_takes_17_bytes_besides_its_blocks() -> None:
    opened = open_envelope(SMALL)
    assert opened.compression is Compression.ZSTD_DICT
    assert len(SMALL) == 4 + 4 + len(opened.stored) + 4
    assert opened.stored[:5] == b"\xa0" + struct.pack("<I", opened.length)


def test_blocks_with_the_magic_before_their_header_are_a_frame_for_any_zstd() -> None:
    opened = open_envelope(LARGE)
    dictionary = zstandard.ZstdCompressionDict(SHIPPED.get(opened.named).data)
    plain = zstandard.ZstdDecompressor(dict_data=dictionary).decompress(b"\x28\xb5\x2f\xfd" + opened.stored)
    assert len(plain) == opened.length


def test_every_flipped_bit_of_a_small_body_is_found() -> None:
    for bit in range(8 * len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            decode_body(bytes(damaged))


def test_flipped_bits_of_a_larger_body_are_found() -> None:
    rng = Random(2)
    for _ in range(2_000):
        damaged = bytearray(LARGE)
        damaged[rng.randrange(len(LARGE))] ^= 1 << rng.randrange(8)
        with pytest.raises(Corrupt):
            decode_body(bytes(damaged))


@pytest.mark.parametrize("whole", [SMALL, LARGE], ids=["small", "large"])
def test_every_truncation_is_found(whole: bytes) -> None:
    for length in range(len(whole)):
        with pytest.raises(Corrupt):
            decode_body(whole[:length])


@pytest.mark.parametrize("whole", [SMALL, LARGE], ids=["small", "large"])
def test_bytes_added_at_the_end_are_found(whole: bytes) -> None:
    for extra in (b"\0", b"\0\0\0\0", whole):
        with pytest.raises(Corrupt):
            decode_body(whole + extra)


@given(st.binary(max_size=200))
def test_bytes_of_no_envelope_are_corrupt(noise: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_body(noise)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"wh\x03\x60" + bytes(20), "version 3"),
        (b"wh\x00\x60" + bytes(20), "version 0"),
        (b"wh\x02\xf0" + bytes(20), "format 15"),
        (b"wh\x02\x0f" + bytes(20), "format 0"),
        (b"wh\x02\x6f" + bytes(20), "compression 15"),
        (b"wh\x02\x62" + b"\xaa\xbb\xcc\xdd" + b"\xa0" + bytes(20), "dictionary aabbccdd"),
        (b"wh\x02\x67" + bytes(8) + b"\xa0" + bytes(20), "patch"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_known_here_is_said_by_name(start: bytes, said: str) -> None:
    with pytest.raises(UnknownVersion, match=said):
        decode(checked(start))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(0x60, 4), (0x61, 4), (0x62, 9), (0x67, 13)],
    ids=["plain", "zstd", "dictionary", "patch"],
)
def test_an_envelope_too_short_for_its_fields_is_corrupt(kind: int, fields: int) -> None:
    for length in range(fields):
        with pytest.raises(Corrupt):
            open_envelope(checked(b"wh\x02" + bytes((kind,)) + b"\xa0" * length))


def test_a_frame_that_claims_another_header_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="header"):
        decode(checked(b"wh\x02\x62" + bytes(4) + b"\xa4" + bytes(20)))


def test_a_body_over_the_limit_is_not_sealed() -> None:
    with pytest.raises(Corrupt, match="over the limit"):
        seal(b"", Format.JSON, Compression.ZSTD, length=MAX_BODY_BYTES + 1)


@pytest.mark.parametrize("length", [MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 2**32 - 1])
@pytest.mark.parametrize("compression", list(Compression), ids=str)
def test_a_declared_length_that_the_bytes_cannot_be_worth_allocates_nothing(
    compression: Compression, length: int
) -> None:
    named = open_envelope(SMALL).named if compression is Compression.ZSTD_DICT else b""
    honest = seal(b"x" * 100, Format.WHB_ROW, compression, length=1, named=named)
    start = bytearray(honest[:-4])
    start[-104:-100] = struct.pack("<I", length)
    tracemalloc.start()
    try:
        with pytest.raises(Corrupt, match="over the limit"):
            decode(checked(bytes(start)))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_reader_may_ask_for_a_smaller_limit() -> None:
    with pytest.raises(Corrupt, match="over the limit"):
        decode(LARGE, max_bytes=100)
    assert decode(LARGE, max_bytes=100_000) == menu("1", products=60)


def test_what_compression_makes_too_small_to_be_read_is_stored_as_it_is() -> None:
    """A thousandfold is what a reader takes for a bomb, and so a writer does not write it."""
    endless = msgspec.structs.replace(menu("1"), shop_id="x" * 4_000_000)
    ways = [
        (Format.WHB_ROW, Compression.ZSTD_DICT),
        (Format.WHB_COLUMN, Compression.ZSTD_DICT),
        (Format.JSON, Compression.ZSTD),
    ]
    for format_, compression in ways:
        data = encode(endless, format_, compression)
        assert open_envelope(data).compression is Compression.NONE
        assert decode(data) == endless


@given(st.binary(max_size=60))
def test_an_estimate_of_the_payload_is_never_over_the_limit(data: bytes) -> None:
    for start in (b"", b"wh\x01", b"wh\x02", b"wh\x02\x62", b"wh\x02\x67"):
        assert 0 <= payload_bytes(start + data) <= MAX_BODY_BYTES


@pytest.mark.parametrize("record", [menu("1", products=60), menu("1")], ids=["large", "small"])
@pytest.mark.parametrize("compression", [Compression.NONE, Compression.ZSTD, Compression.ZSTD_DICT], ids=str)
def test_an_estimate_of_the_payload_is_its_length(record: Encodable, compression: Compression) -> None:
    data = encode(record, Format.WHB_ROW, compression)
    assert payload_bytes(data) == open_envelope(data).length


V1_PAYLOAD = msgspec.msgpack.encode(menu("7", products=3))


@pytest.mark.parametrize("states_size", [False, True])
def test_version_1_is_read_raw_and_with_zstd(states_size: bool) -> None:
    packed = zstd(V1_PAYLOAD, states_size=states_size)
    for data in (
        sealed_v1(V1_PAYLOAD, length=len(V1_PAYLOAD)),
        sealed_v1(packed, length=len(V1_PAYLOAD), compression=1),
    ):
        assert decode_body(data) == menu("7", products=3)
        assert payload_bytes(data) == len(V1_PAYLOAD)


def test_every_flipped_bit_and_truncation_of_version_1_is_found() -> None:
    whole = sealed_v1(V1_PAYLOAD, length=len(V1_PAYLOAD))
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            decode_body(bytes(damaged))
    for length in range(len(whole)):
        with pytest.raises(Corrupt):
            decode_body(whole[:length])


@pytest.mark.parametrize("unknown", [{"format_": 9}, {"compression": 2}, {"compression": 255}], ids=str)
def test_what_version_1_never_had_is_unknown_not_corrupt(unknown: dict[str, int]) -> None:
    with pytest.raises(UnknownVersion):
        decode_body(sealed_v1(b"payload", length=7, **unknown))


@pytest.mark.parametrize("states_size", [False, True])
def test_a_bomb_of_version_1_is_refused_before_it_is_allocated(states_size: bool) -> None:
    packed = zstd(bytes(32 * 1024 * 1024), states_size=states_size)
    tracemalloc.start()
    try:
        for declared in (100, 32 * 1024 * 1024, 2**32 - 1):
            with pytest.raises(Corrupt):
                decode_body(sealed_v1(packed, length=declared, compression=1))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=400))
def test_any_payload_with_a_right_checksum_decodes_or_is_a_codec_error(payload: bytes) -> None:
    for data in (
        sealed_v1(payload, length=len(payload)),
        sealed_v1(payload, length=len(payload), compression=1),
        seal(payload, Format.WHB_ROW, Compression.NONE, length=len(payload)),
    ):
        try:
            decode_body(data)
        except CodecError:
            continue
