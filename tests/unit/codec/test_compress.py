"""Every compression gives back what it got, in frames of its standard, and never more than its limit."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from pathlib import Path
from random import Random

import brotli
import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from programs import needed
from weedhounds.codec.base import FREE_BYTES, MAX_BODY_BYTES, MAX_RATIO, Compression
from weedhounds.codec.compress import (
    COMPRESS_FROM_BYTES,
    LEVELS,
    compress,
    decompress,
    output_limit,
    pack,
    why_unavailable,
)
from weedhounds.errors import BadInput, Corrupt, UnknownVersion

ALL = sorted(LEVELS)
PACKED = [each for each in ALL if each is not Compression.NONE]
TEXT = b"".join(b'{"name":"Invented Haze %d","brand":"Brand %d"}' % (n, n % 7) for n in range(400))
CHILD = Path(__file__).with_name("bomb_child.py")
TOOLS = {
    Compression.GZIP: ("gzip", "-dc"),
    Compression.LZ4: ("lz4", "-dc"),
    Compression.BROTLI: ("brotli", "-dc"),
    Compression.ZSTD: ("zstd", "-dc"),
}
"""The tools of Debian that read a frame of the compression."""


@pytest.mark.parametrize("compression", ALL)
@given(payload=st.binary(max_size=3_000))
def test_any_payload_comes_back(compression: Compression, payload: bytes) -> None:
    stored = compress(payload, compression)
    assert decompress(stored, compression, len(payload)) == payload
    assert decompress(stored, compression) == payload


@pytest.mark.parametrize("compression", ALL)
def test_every_level_comes_back(compression: Compression) -> None:
    for level in range(LEVELS[compression].least, LEVELS[compression].greatest + 1):
        assert decompress(compress(TEXT, compression, level), compression, len(TEXT)) == TEXT


@pytest.mark.parametrize("compression", ALL)
def test_equal_payloads_give_equal_bytes(compression: Compression) -> None:
    assert compress(TEXT, compression) == compress(bytes(bytearray(TEXT)), compression)


@pytest.mark.parametrize("compression", sorted(TOOLS))
def test_the_standard_tool_reads_it(compression: Compression) -> None:
    tool = TOOLS[compression]
    needed(tool[0])
    ran = subprocess.run(tool, input=compress(TEXT, compression), capture_output=True, timeout=10, check=True)
    assert ran.stdout == TEXT


@pytest.mark.parametrize("compression", sorted(TOOLS))
def test_what_the_standard_tool_wrote_is_read(compression: Compression) -> None:
    tool = TOOLS[compression][0]
    needed(tool)
    ran = subprocess.run((tool, "-c"), input=TEXT, capture_output=True, timeout=10, check=True)
    assert decompress(ran.stdout, compression, len(TEXT)) == TEXT


def test_zlib_is_the_standard_librarys() -> None:
    assert zlib.decompress(compress(TEXT, Compression.ZLIB)) == TEXT
    assert gzip.decompress(compress(TEXT, Compression.GZIP)) == TEXT


@pytest.mark.parametrize("compression", PACKED)
def test_every_truncation_is_found(compression: Compression) -> None:
    stored = compress(TEXT[:2_000], compression)
    for length in range(len(stored)):
        with pytest.raises(Corrupt):
            decompress(stored[:length], compression, 2_000)


@pytest.mark.parametrize("compression", ALL)
@pytest.mark.parametrize("payload", [b"", b"x", TEXT], ids=["nothing", "one byte", "text"])
@pytest.mark.parametrize("extra", [b"x", bytes(8), None], ids=["a byte", "zeros", "another frame"])
def test_bytes_after_the_frame_are_found(compression: Compression, payload: bytes, extra: bytes | None) -> None:
    stored = compress(payload, compression)
    with pytest.raises(Corrupt):
        decompress(stored + (extra or stored or b"x"), compression, len(payload))


@pytest.mark.parametrize("compression", ALL)
@pytest.mark.parametrize("off", [-1, 1, 1_000, -len(TEXT)])
def test_a_payload_of_another_length_than_declared_is_corrupt(compression: Compression, off: int) -> None:
    with pytest.raises(Corrupt):
        decompress(compress(TEXT, compression), compression, len(TEXT) + off)


@pytest.mark.parametrize("compression", PACKED)
@given(stored=st.binary(max_size=200))
def test_any_bytes_decompress_within_the_limit_or_are_corrupt(compression: Compression, stored: bytes) -> None:
    try:
        assert len(decompress(stored, compression)) <= output_limit(len(stored))
    except Corrupt:
        return


@pytest.mark.parametrize("compression", PACKED)
@given(st.data())
def test_a_damaged_frame_gives_corrupt_or_bytes_of_the_declared_length(
    compression: Compression, data: st.DataObject
) -> None:
    damaged = bytearray(compress(TEXT[:3_000], compression))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert len(decompress(bytes(damaged), compression, 3_000)) == 3_000
    except Corrupt:
        return


@pytest.mark.parametrize("compression", PACKED)
def test_what_gets_no_shorter_is_stored_as_it_is(compression: Compression) -> None:
    noise = Random(3).randbytes(50_000)
    assert pack(noise, compression) == (Compression.NONE, noise)
    assert pack(TEXT[:COMPRESS_FROM_BYTES], compression) == (Compression.NONE, TEXT[:COMPRESS_FROM_BYTES])


@pytest.mark.parametrize("compression", PACKED)
@given(payload=st.binary(max_size=5_000))
def test_nothing_packed_is_longer_than_the_payload(compression: Compression, payload: bytes) -> None:
    chosen, stored = pack(payload, compression)
    assert len(stored) <= len(payload)
    assert decompress(stored, chosen, len(payload)) == payload


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("length", [FREE_BYTES, 8 * 1024 * 1024])
def test_what_would_be_read_as_a_bomb_is_not_written(compression: Compression, length: int) -> None:
    chosen, stored = pack(bytes(length), compression)
    assert length <= output_limit(len(stored))
    assert len(decompress(stored, chosen, length)) == length


@pytest.mark.parametrize("compression", ALL)
def test_a_level_that_is_none_is_bad_input(compression: Compression) -> None:
    for level in (LEVELS[compression].least - 1, LEVELS[compression].greatest + 1):
        with pytest.raises(BadInput, match="levels"):
            compress(TEXT, compression, level)


def test_a_dictionary_is_not_left_out() -> None:
    with pytest.raises(BadInput, match="dictionary"):
        compress(TEXT, Compression.ZSTD_DICT)
    with pytest.raises(BadInput, match="dictionary"):
        decompress(TEXT, Compression.ZSTD_DICT)


@pytest.mark.parametrize(
    ("compression", "module"), [(Compression.LZ4, "lz4.frame"), (Compression.BROTLI, "brotli")], ids=str
)
def test_without_its_package_a_compression_is_unavailable_and_its_bytes_are_refused_by_name(
    compression: Compression, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = compress(TEXT, compression)
    assert why_unavailable(compression) is None
    monkeypatch.setitem(sys.modules, module, None)
    assert "unavailable" in (why_unavailable(compression) or "")
    with pytest.raises(UnknownVersion, match=f"compression {compression} is unavailable here"):
        decompress(stored, compression, len(TEXT))
    with pytest.raises(UnknownVersion, match=f"compression {compression} is unavailable here"):
        compress(TEXT, compression)


def test_a_frame_that_lies_about_its_content_is_corrupt() -> None:
    lie = zstandard.ZstdCompressor().compress(TEXT)
    claimed = zstandard.get_frame_parameters(lie).content_size
    assert claimed == len(TEXT)
    with pytest.raises(Corrupt, match="claims"):
        decompress(lie, Compression.ZSTD, len(TEXT) - 1)
    frame = bytearray(lz4.frame.compress(TEXT, store_size=True))
    frame[6:14] = (2**62).to_bytes(8, "little")
    with pytest.raises(Corrupt):
        decompress(bytes(frame), Compression.LZ4, len(TEXT))


def test_the_limit_grows_with_the_bytes_and_ends() -> None:
    assert output_limit(0) == output_limit(FREE_BYTES // MAX_RATIO) == FREE_BYTES
    assert output_limit(20_000) == 20_000 * MAX_RATIO
    assert output_limit(2**40) == MAX_BODY_BYTES


def test_a_large_window_of_brotli_is_not_allocated() -> None:
    large = brotli.Compressor(quality=5, lgwin=24)
    stored = large.process(TEXT) + large.finish()
    assert decompress(stored, Compression.BROTLI, len(TEXT)) == TEXT


@pytest.mark.parametrize("compression", PACKED)
def test_a_bomb_of_a_gigabyte_costs_little_memory_and_time(compression: Compression) -> None:
    """The child makes the bomb, then counts the memory that refusing it takes."""
    ran = subprocess.run((sys.executable, CHILD, compression), capture_output=True, text=True, timeout=20, check=True)
    bomb_bytes, small_mb, small_s, large_mb, large_s = map(float, ran.stdout.split())
    assert bomb_bytes < 2**23
    assert small_mb < 8, "a declared length of 100 KB"
    assert small_s < 1
    assert large_mb < 160, "no declared length: the limit of 64 MiB"
    assert large_s < 2
