"""Bytes of every released version are read as what they were written from, and written the same where they can be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from golden_codec_records import PRODUCTS, RECORDS, SINGLES
from record_strategies import typed
from weedhounds.codec import Compression, Encodable, Format, decode, decode_body, encode
from weedhounds.codec.base import FORMAT_NUMBERS, SECOND_ROWS
from weedhounds.codec.dictionary_store import SHIPPED
from weedhounds.codec.envelope import open_envelope
from weedhounds.codec.patch import decode_patch
from weedhounds.errors import UnknownVersion
from weedhounds.model.records import Menu

ALL: dict[str, Encodable] = {**RECORDS, **SINGLES}
SECOND = ("product", "offer", "lab_result")
"""What has a second layout of rows, and is written in that alone."""


@pytest.fixture
def folder(golden: Path) -> Path:
    return golden / "codec"


@pytest.mark.parametrize("name", RECORDS)
def test_bodies_of_version_1_are_still_read(folder: Path, name: str) -> None:
    data = (folder / f"v1-{name}.bin").read_bytes()
    assert data[:3] == b"wh\x01"
    assert typed(decode_body(data)) == typed(RECORDS[name])


@pytest.mark.parametrize("name", ALL)
def test_rows_of_the_first_layout_are_read_and_but_for_a_few_written_as_before(folder: Path, name: str) -> None:
    data = (folder / f"v2-row-{name}.bin").read_bytes()
    assert data[3] >> 4 == FORMAT_NUMBERS[Format.WHB_ROW]
    assert typed(decode(data)) == typed(ALL[name])
    assert name in SECOND or encode(ALL[name], Format.WHB_ROW, Compression.NONE) == data


@pytest.mark.parametrize("name", SECOND)
def test_rows_of_the_second_layout_are_read_and_written_as_before(folder: Path, name: str) -> None:
    data = (folder / f"v2-row2-{name}.bin").read_bytes()
    assert data[3] >> 4 == SECOND_ROWS
    assert typed(decode(data)) == typed(ALL[name])
    assert encode(ALL[name], Format.WHB_ROW, Compression.NONE) == data


@pytest.mark.parametrize("name", SECOND)
def test_rows_of_the_second_layout_with_a_shipped_dictionary_are_read_for_ever(folder: Path, name: str) -> None:
    data = (folder / f"v2-row2-dictionary-{name}.bin").read_bytes()
    opened = open_envelope(data)
    assert opened.compression is Compression.ZSTD_DICT
    assert SHIPPED.get(opened.named).format is Format.WHB_ROW
    assert typed(decode(data)) == typed(ALL[name])


@pytest.mark.parametrize("name", RECORDS)
def test_columns_are_read_and_written_as_before(folder: Path, name: str) -> None:
    data = (folder / f"v2-column-{name}.bin").read_bytes()
    assert typed(decode(data)) == typed(RECORDS[name])
    assert encode(RECORDS[name], Format.WHB_COLUMN, Compression.NONE) == data


@pytest.mark.parametrize("format_", ["row", "column"])
@pytest.mark.parametrize("name", ["menu", "price_list", "shop_list", "lab_result_list"])
def test_what_shipped_dictionaries_wrote_is_read_for_ever(folder: Path, format_: str, name: str) -> None:
    data = (folder / f"v2-{format_}-dictionary-{name}.bin").read_bytes()
    opened = open_envelope(data)
    assert opened.compression is Compression.ZSTD_DICT
    assert SHIPPED.get(opened.named).format == f"whb-{format_}"
    assert typed(decode(data)) == typed(RECORDS[name])


def test_a_patch_is_read_with_its_base_and_says_what_it_needs_without(folder: Path) -> None:
    data = (folder / "v2-patch-menu.bin").read_bytes()
    menu = RECORDS["menu"]
    assert isinstance(menu, Menu)
    base = msgspec.structs.replace(menu, products=PRODUCTS[2:])
    assert typed(decode_patch(data, base)) == typed(menu)
    with pytest.raises(UnknownVersion, match=open_envelope(data).named.hex()):
        decode_patch(data, menu)
    with pytest.raises(UnknownVersion, match="patch"):
        decode(data)


def test_every_golden_file_is_read_by_a_test(folder: Path) -> None:
    named = {f"v1-{name}.bin" for name in RECORDS}
    named |= {f"v2-row-{name}.bin" for name in ALL} | {f"v2-column-{name}.bin" for name in RECORDS}
    named |= {
        f"v2-{format_}-dictionary-{name}.bin"
        for format_ in ("row", "column")
        for name in ("menu", "price_list", "shop_list", "lab_result_list")
    }
    named |= {f"v2-row2-{infix}{name}.bin" for infix in ("", "dictionary-") for name in SECOND}
    assert {path.name for path in folder.iterdir()} == named | {"v2-patch-menu.bin"}
