"""One suite over every format, compression and record type: what goes in comes out, or is refused by a typed error."""

from __future__ import annotations

import ast
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec
import pytest

import weedhounds.codec
from programs import needed
from record_strategies import RECORD_TYPES, TYPE_NAMES, bare, filled, typed
from weedhounds.codec import Compression, Encodable, Format, decode, encode
from weedhounds.codec.base import COMPRESSION_NUMBERS, FORMAT_NUMBERS, payload_codec
from weedhounds.codec.dictionary import Dictionary, train
from weedhounds.codec.dictionary_store import MemoryDictionaries
from weedhounds.codec.envelope import open_envelope, seal
from weedhounds.codec.kinds import kind_of
from weedhounds.errors import CodecError, Corrupt, UnknownVersion
from weedhounds.model.records import Menu, OpenPeriod, Price, PriceList, Product, Shop, ShopList, Strain
from weedhounds.model.units import Amount, Money, Potency

FORMATS = list(Format)
COMPRESSIONS = list(Compression)
formats = pytest.mark.parametrize("format_", FORMATS, ids=str)
compressions = pytest.mark.parametrize("compression", COMPRESSIONS, ids=str)
types = pytest.mark.parametrize("kind", RECORD_TYPES, ids=TYPE_NAMES)


@cache
def dictionary(kind: Any, format_: Format) -> Dictionary:
    """Return a dictionary trained on invented records of a type, in a format."""
    records = [filled(kind, 1 + n % 2) for n in range(24)]
    return train(records, kind_of(records[0]), origins={}, format=format_, size_bytes=2_048)


def wrapped(record: Any, format_: Format, compression: Compression) -> tuple[bytes, MemoryDictionaries]:
    """Return the envelope of a record, and the store that reads it."""
    if compression is not Compression.ZSTD_DICT:
        return encode(record, format_, compression), MemoryDictionaries()
    own = dictionary(cast(Any, type(record)), format_)
    return encode(record, format_, compression, dictionary=own), MemoryDictionaries([own])


def one_price(amount: str = "35.00") -> PriceList:
    """Return a list of one price."""
    money = Money(Decimal(amount))
    price = Price(
        product_id="5", variant_label="1/8 oz", variant=Amount(3.5, "g"), market="rec", price=money, list_price=money
    )
    return PriceList(origin="jane", shop_id="7", prices=(price,))


def samples(kind: type[Encodable]) -> Iterator[Any]:
    """Yield records of a type: empty, full, long enough to be compressed."""
    yield bare(kind)
    yield filled(kind, 1)
    yield filled(kind, 4)


@formats
@compressions
@types
def test_every_record_comes_back_with_its_types(
    format_: Format, compression: Compression, kind: type[Encodable]
) -> None:
    for record in samples(kind):
        data, store = wrapped(record, format_, compression)
        assert typed(decode(data, dictionaries=store)) == typed(record)


@formats
@compressions
def test_a_record_is_never_longer_than_its_payload_and_a_header(format_: Format, compression: Compression) -> None:
    for kind in RECORD_TYPES:
        for record in samples(kind):
            payload = payload_codec(format_).encode_payload(record)
            data, _ = wrapped(record, format_, compression)
            assert len(data) <= len(payload) + 16


@formats
@compressions
def test_the_envelope_names_what_was_used(format_: Format, compression: Compression) -> None:
    envelope = open_envelope(wrapped(filled(Menu, 4), format_, compression)[0])
    assert (envelope.version, envelope.format, envelope.compression) == (2, format_, compression)


@formats
def test_equal_records_give_equal_bytes(format_: Format) -> None:
    one, other = filled(Menu, 3), filled(Menu, 3)
    assert payload_codec(format_).encode_payload(one) == payload_codec(format_).encode_payload(other)


@formats
@compressions
def test_every_flipped_bit_of_a_small_record_is_found(format_: Format, compression: Compression) -> None:
    data, store = wrapped(one_price(), format_, compression)
    rng = Random(1)
    bits = range(8 * len(data)) if len(data) < 600 else sorted(rng.sample(range(8 * len(data)), 3_000))
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            decode(bytes(damaged), dictionaries=store)


@formats
@compressions
def test_flipped_bits_of_a_long_record_are_found(format_: Format, compression: Compression) -> None:
    data, store = wrapped(filled(Menu, 4), format_, compression)
    rng = Random(2)
    for _ in range(400):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with pytest.raises(Corrupt):
            decode(bytes(damaged), dictionaries=store)


@formats
@compressions
def test_every_truncation_is_found(format_: Format, compression: Compression) -> None:
    data, store = wrapped(filled(Menu, 3), format_, compression)
    step = max(1, len(data) // 700)
    for length in (*range(0, len(data), step), len(data) - 1):
        with pytest.raises(Corrupt):
            decode(data[:length], dictionaries=store)


@formats
@compressions
def test_bytes_added_at_the_end_are_found(format_: Format, compression: Compression) -> None:
    data, store = wrapped(filled(Menu, 3), format_, compression)
    for extra in (b"\0", b"x", data):
        with pytest.raises(Corrupt):
            decode(data + extra, dictionaries=store)


def sealed_again(data: bytes, at: int, value: int) -> bytes:
    """Return an envelope with one byte changed and its checksum made right again: what another version wrote."""
    changed = bytearray(data[:-4])
    changed[at] = value
    return bytes(changed) + struct.pack("<I", zlib.crc32(bytes(changed)))


def test_what_this_program_does_not_know_is_said_by_name() -> None:
    data = encode(filled(Menu, 4), Format.JSON, Compression.ZSTD)
    with pytest.raises(UnknownVersion, match="version 3"):
        decode(sealed_again(data, 2, 3))
    with pytest.raises(UnknownVersion, match="format 15"):
        decode(sealed_again(data, 3, 0xF0))
    unknown = next(number for number in range(7, 16) if number not in (7, *COMPRESSION_NUMBERS.values()))
    with pytest.raises(UnknownVersion, match=f"compression {unknown}"):
        decode(sealed_again(data, 3, FORMAT_NUMBERS[Format.JSON] << 4 | unknown))


@formats
def test_a_dictionary_that_is_not_here_is_said_by_its_id(format_: Format) -> None:
    data, _ = wrapped(filled(Menu, 4), format_, Compression.ZSTD_DICT)
    with pytest.raises(UnknownVersion, match=dictionary(Menu, format_).id.hex()):
        decode(data, dictionaries=MemoryDictionaries())


@formats
def test_bytes_of_another_format_are_corrupt_or_the_same_record(format_: Format) -> None:
    """JSON is JSON whichever library wrote it, and columns read rows; no other format reads another's bytes."""
    record = filled(Menu, 2)
    for other in FORMATS:
        payload = payload_codec(other).encode_payload(record)
        data = seal(payload, format_, Compression.NONE, length=len(payload))
        if (
            other is format_
            or {format_, other} <= {Format.JSON, Format.ORJSON}
            or (format_, other) == (Format.WHB_COLUMN, Format.WHB_ROW)
        ):
            assert decode(data) == record
        else:
            with pytest.raises(Corrupt):
                decode(data)


@formats
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0",
        b"null",
        b"\xc0",
        b"[" * 200_000,
        b"\x91" * 200_000,
        b'{"type":' * 100_000,
        b'{"type":"review"}',
        b'{"type":"menu"}',
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x00",
        b"\x3b" * 10_000,
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_a_hostile_payload_with_a_right_checksum_is_corrupt(format_: Format, payload: bytes) -> None:
    with pytest.raises(Corrupt):
        decode(seal(payload, format_, Compression.NONE, length=len(payload)))


NAN, INFINITY = float("nan"), float("inf")
LONE = "a\ud800b"
REFUSED: dict[str, Any] = {
    "NaN": Strain(slug="a", name="a", origin="o", effects={"calm": NAN}),
    "an infinity": Strain(slug="a", name="a", origin="o", effects={"calm": -INFINITY}),
    "NaN in an optional number": Shop(key="k", origin="o", id="1", name="n", lat=NAN),
    "NaN deep within": Menu(
        origin="o",
        shop_id="1",
        products=(Product(id="1", name="n", origin="o", potency_by_variant={"1g": {"thc": Potency(1.0, NAN, "%")}}),),
    ),
    "a price of NaN": one_price("NaN"),
    "a price without end": one_price("-Infinity"),
    "a signalling NaN": one_price("sNaN"),
    "a lone surrogate": Shop(key="k", origin="o", id="1", name=LONE),
    "a lone surrogate as a name in a mapping": Strain(slug="a", name="a", origin="o", effects={LONE: 1.0}),
    "a number of 81 bits": Shop(key="k", origin="o", id="1", name="n", menu_size=2**80),
    "a negative number of 65 bits": Shop(key="k", origin="o", id="1", name="n", menu_size=-(2**63) - 1),
}


@formats
@pytest.mark.parametrize("record", REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_held_exactly_is_refused(format_: Format, record: Any) -> None:
    with pytest.raises(Corrupt):
        encode(record, format_, Compression.NONE)


EDGES: dict[str, Any] = {
    "numbers at their limits": Shop(
        key="k", origin="o", id="1", name="n", lat=1.7976931348623157e308, lon=5e-324, menu_size=2**63 - 1
    ),
    "a zero below zero": Strain(slug="a", name="a", origin="o", effects={"calm": -0.0, "none": 0.0}),
    "a third": Strain(slug="a", name="a", origin="o", effects={"calm": 1 / 3}),
    "words that look like no number": Menu(
        origin="NaN", shop_id="amount", products=(Product(id="Infinity", name="nan", origin="\xcb\x7f\xf0"),)
    ),
    "a price of many digits": one_price("123456789.123456789012345678901234567890"),
    "a price of few": one_price("1E+3"),
    "text of every plane": Shop(key="k", origin="o", id="1", name="\0\x1f\x7f\x85\u2028\ufffe\U0001f33f\U0010ffff"),
    "names with what JSON escapes": Strain(slug='"', name="\\", origin="/", effects={'a"b\\c': 1.0, "": 2.0}),
    "hours at their limits": ShopList(
        origin="o",
        cell="",
        shops=(Shop(key="k", origin="o", id="1", name="n", hours=(OpenPeriod(0, -1, 2**62),)),),
    ),
}


@formats
@pytest.mark.parametrize("record", EDGES.values(), ids=list(EDGES))
def test_edges_come_back_exactly(format_: Format, record: Any) -> None:
    for compression in (Compression.NONE, Compression.ZSTD):
        assert typed(decode(encode(record, format_, compression))) == typed(record)


@formats
def test_a_number_of_64_bits_comes_back_or_is_refused(format_: Format) -> None:
    record = Shop(key="k", origin="o", id="1", name="n", menu_size=2**63)
    try:
        data = encode(record, format_, Compression.NONE)
    except Corrupt:
        return
    assert typed(decode(data)) == typed(record)


NOT_FINITE = {
    Format.MSGPACK: msgspec.msgpack.encode(
        {"type": "strain", "slug": "a", "name": "a", "origin": "o", "effects": {"x": NAN}}
    ),
    Format.JSON: b'{"type":"price_list","origin":"o","shop_id":"1","prices":[{"product_id":"1","variant_label":"x",'
    b'"variant":null,"market":"rec","price":{"\\u0061mount":"N\\u0061N"},"list_price":{"amount":"1"}}]}',
    Format.ORJSON: b'{"type":"price_list","origin":"o","shop_id":"1","prices":[{"product_id":"1","variant_label":"x",'
    b'"variant":null,"market":"rec","price":{"amount": "-Infinity"},"list_price":{"amount":"1"}}]}',
}


@pytest.mark.parametrize("format_", sorted(NOT_FINITE))
def test_numbers_that_are_none_are_not_read_either(format_: Format) -> None:
    payload = NOT_FINITE[format_]
    with pytest.raises(Corrupt, match="number that is none"):
        decode(seal(payload, format_, Compression.NONE, length=len(payload)))


@formats
@compressions
def test_a_bomb_in_an_envelope_is_refused_before_it_is_made(format_: Format, compression: Compression) -> None:
    """A payload of 60 MiB of zeros, sealed with a right checksum and an honest length."""
    if compression is Compression.NONE:
        return
    length = 60 * 2**20
    small = wrapped(filled(Menu, 4), format_, compression)[0]
    envelope = open_envelope(small)
    bomb = seal(envelope.stored, format_, compression, length=length, named=envelope.named)
    with pytest.raises(Corrupt, match="over the limit"):
        decode(bomb)


def test_the_text_of_an_error_tells_the_format_apart_from_damage() -> None:
    with pytest.raises(CodecError, match="not an envelope"):
        decode(b"{}\n\n")


def run_without(module: str, code: str, *arguments: str) -> str:
    """Run Python code in a process where a package cannot be imported; return what it prints."""
    program = f"import sys\nsys.modules[{module!r}] = None\n{code}"
    ran = subprocess.run((sys.executable, "-c", program, *arguments), capture_output=True, text=True, timeout=15)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


READ = """
from pathlib import Path
from weedhounds.codec import decode, encode, Format, Compression
from weedhounds.errors import UnknownVersion
from weedhounds.model.records import Menu
for what in (lambda: decode(Path(sys.argv[1]).read_bytes()),
             lambda: encode(Menu(origin="o", shop_id="1", products=()), Format(sys.argv[2]), Compression(sys.argv[3]))):
    try:
        what()
    except UnknownVersion as error:
        print(error)
print(len(decode(Path(sys.argv[4]).read_bytes()).products))
"""


@pytest.mark.parametrize(
    ("module", "format_", "compression"),
    [
        ("pyarrow", Format.ARROW, Compression.NONE),
        ("google.protobuf", Format.PROTOBUF, Compression.NONE),
        ("orjson", Format.ORJSON, Compression.NONE),
    ],
    ids=str,
)
def test_without_its_package_a_format_is_unavailable_and_old_data_is_refused_by_name(
    module: str, format_: Format, compression: Compression, tmp_path: Path
) -> None:
    old, other = tmp_path / "old", tmp_path / "other"
    old.write_bytes(encode(filled(Menu, 2), format_, compression))
    other.write_bytes(encode(filled(Menu, 2), Format.WHB_ROW, Compression.ZSTD))
    lines = run_without(module, READ, str(old), format_, compression, str(other)).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"format {format_} is unavailable here"] * 2 + ["2"]


def test_nothing_here_runs_code_from_bytes() -> None:
    """Pickle and its like do not exist in the codec."""
    folder = Path(weedhounds.codec.__file__).parent
    imported = {
        name.split(".")[0]
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"} == set()


def test_protoc_reads_what_protobuf_holds() -> None:
    needed("protoc")
    schema = Path(__file__).resolve().parents[2] / "src" / "weedhounds" / "codec" / "weedhounds.proto"
    for kind in RECORD_TYPES:
        payload = payload_codec(Format.PROTOBUF).encode_payload(filled(kind, 2))
        ran = subprocess.run(
            ("protoc", "-I", str(schema.parent), "--decode", "weedhounds.v1.Record", schema.name),
            input=payload,
            capture_output=True,
            timeout=10,
            check=True,
        )
        text = ran.stdout.decode()
        assert text.startswith(f"{kind.__struct_config__.tag} {{")
        assert not any(line.strip()[:1].isdigit() for line in text.splitlines()), "a field that the schema lacks"
