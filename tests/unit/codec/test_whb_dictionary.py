"""Dictionaries are trained by kind, know their origins, are kept for ever and found again."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest
import zstandard

from record_strategies import filled
from sample_entries import menu, price_list
from weedhounds.codec import Compression, Encodable, Format, decode, encode, encode_body
from weedhounds.codec import dictionary as dictionaries
from weedhounds.codec.dictionary import Dictionary, compress_in_blocks, dump_dictionary, load_dictionary, train
from weedhounds.codec.dictionary_store import (
    MAX_DICTIONARIES,
    SHIPPED,
    FolderDictionaries,
    MemoryDictionaries,
    ShippedDictionaries,
    file_name,
)
from weedhounds.codec.envelope import open_envelope
from weedhounds.codec.kinds import KINDS, items_of, kind_of
from weedhounds.errors import BadInput, Corrupt, UnknownVersion
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import AnyRecord, Body, Product

MENUS: list[Encodable] = [menu(str(shop), products=30, marker=f"of shop {shop}") for shop in range(20)]
PRODUCTS: list[Encodable] = [product for each in MENUS for product in items_of(each)]
TERMS = {"weedmaps": ShareScope.CIRCLE, "leafly": ShareScope.PUBLIC}


def trained(kind: str = "product", size_bytes: int = 4096, **options: object) -> Dictionary:
    return train([*PRODUCTS, *MENUS], kind, origins=TERMS, size_bytes=size_bytes, **options)  # type: ignore[arg-type]


def test_records_are_smaller_with_their_dictionary_and_come_back() -> None:
    own = trained()
    store = MemoryDictionaries([own])
    for record in PRODUCTS[:50]:
        data = encode(record, Format.WHB_ROW, Compression.ZSTD_DICT, dictionary=own)
        assert len(data) < 0.8 * len(encode(record, Format.WHB_ROW, Compression.ZSTD))
        assert decode(data, dictionaries=store) == record


def test_a_dictionary_knows_its_origins_and_their_strictest_scope() -> None:
    own = trained()
    assert own.origins == ("leafly", "weedmaps")
    assert own.share is ShareScope.CIRCLE
    assert train(PRODUCTS, "product", origins={}, size_bytes=4096).share is ShareScope.NEVER


def test_the_same_records_give_the_same_dictionary() -> None:
    assert trained().id == trained().id
    assert trained().id != trained("menu").id


def test_a_dictionary_is_trained_on_its_kind_alone() -> None:
    with pytest.raises(BadInput, match="at least 16 records of kind price, not 0"):
        trained("price")


@pytest.mark.parametrize("size", [0, 255, dictionaries.MAX_BYTES + 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(BadInput, match="has 256 to"):
        trained(size_bytes=size)


def test_samples_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionaries, "MAX_SAMPLE_BYTES", 3_000)
    small = trained()
    assert len(small.data) <= 1_500


@pytest.mark.parametrize("level", [1, 3, 9, 19])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_791, 65_792, 3_000_000])
def test_a_payload_of_any_size_survives_at_any_level(level: int, size: int) -> None:
    if size > 100_000 and level > 9:
        return
    own = trained()
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    frame = b"\xa0" + size.to_bytes(4, "little")
    assert own.decompress(frame + own.compress(payload, level), size) == payload
    assert own.decompress(frame + own.compress_blocks(payload, [size // 3, size // 2, size], level), size) == payload


def test_one_level_does_not_break_another() -> None:
    own = trained()
    payload = b"".join(msgspec.msgpack.encode(record) for record in PRODUCTS[:4])
    before = own.compress(payload, 3)
    own.compress(payload, 19)
    assert own.compress(payload, 3) == before


@pytest.mark.parametrize("level", [0, -1, 23, 1000])
def test_a_level_that_zstd_has_not_is_refused(level: int) -> None:
    with pytest.raises(BadInput, match="levels 1 to 22"):
        trained().compress(b"payload", level)


def test_threads_share_a_dictionary() -> None:
    own = trained()
    store = MemoryDictionaries([own])
    wrong: list[object] = []

    def work(start: int) -> None:
        for record in PRODUCTS[start : start + 150] * 3:
            data = encode(record, Format.WHB_ROW, Compression.ZSTD_DICT, dictionary=own)
            if decode(data, dictionaries=store) != record:
                wrong.append(record)

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 150, 300, 450)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_another_dictionary_of_the_same_id_makes_no_record_of_the_bytes() -> None:
    """Ids can be forged in time; whoever holds the forged one gets an error or, at worst, no other record."""
    own, other = trained(), train(PRODUCTS[200:], "product", origins={}, size_bytes=4096)
    data = encode(PRODUCTS[0], Format.WHB_ROW, Compression.ZSTD_DICT, dictionary=own)
    opened = open_envelope(data)
    with pytest.raises(Corrupt):
        other.decompress(opened.stored[:9], opened.length)


def test_blocks_begin_where_they_are_told_to_and_are_one_frame() -> None:
    compressor = zstandard.ZstdCompressor(level=9)
    payload = b"name " * 400 + bytes(range(256)) * 8
    frame = compress_in_blocks(compressor, payload, [2_000, 2_010, len(payload)])
    assert zstandard.ZstdDecompressor().decompress(frame) == payload
    assert compress_in_blocks(compressor, b"", []) == compressor.compressobj(size=0).flush()


def test_a_file_holds_everything_that_a_dictionary_knows() -> None:
    own = trained(format=Format.WHB_ROW)
    read = load_dictionary(dump_dictionary(own))
    assert (read.id, read.data, read.kind, read.format) == (own.id, own.data, "product", Format.WHB_ROW)
    assert (read.origins, read.share) == (own.origins, own.share)


def test_a_damaged_file_is_corrupt() -> None:
    whole = dump_dictionary(trained())
    for at in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[at] ^= 0x41
        try:
            read = load_dictionary(bytes(damaged))
        except Corrupt:
            continue
        assert read.id == trained().id, "only what is beside the content may have changed"
    for length in (0, 1, 10, len(whole) - 1):
        with pytest.raises(Corrupt):
            load_dictionary(whole[:length])


def test_a_store_finds_by_id_and_writes_with_the_newest() -> None:
    first, second = trained(), trained(size_bytes=2048)
    store = MemoryDictionaries([first])
    assert store.newest("product", Format.WHB_ROW) is first
    store.add(second)
    assert store.newest("product", Format.WHB_ROW) is second
    assert (store.get(first.id), store.get(second.id)) == (first, second)
    assert store.newest("product", Format.JSON) is None
    with pytest.raises(UnknownVersion, match="00000000"):
        store.get(b"\0\0\0\0")


def test_a_store_asks_the_one_below_for_what_it_has_not() -> None:
    first, second = trained(), trained("menu")
    store = MemoryDictionaries([second], below=MemoryDictionaries([first]))
    assert store.get(first.id) is first
    assert store.newest("product", Format.WHB_ROW) is first
    assert list(store) == [second]


def test_a_second_dictionary_of_an_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = trained(), trained(size_bytes=2048)
    store = MemoryDictionaries([first])
    second.id = first.id
    with pytest.raises(BadInput, match=first.id.hex()):
        store.add(second)
    store.add(first)


def test_a_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weedhounds.codec.dictionary_store.MAX_DICTIONARIES", 1)
    store = MemoryDictionaries([trained()])
    with pytest.raises(BadInput, match="there are 1 dictionaries already"):
        store.add(trained("menu"))
    assert MAX_DICTIONARIES == 256


def test_a_folder_keeps_dictionaries_over_restarts(tmp_path: Path) -> None:
    folder = tmp_path / "dictionaries"
    first, second = trained(), trained(size_bytes=2048)
    store = FolderDictionaries(folder)
    store.add(first)
    store.add(second)
    written = (folder / file_name(second)).stat().st_mtime + 1
    os.utime(folder / file_name(first), (written, written))  # the later written one is the newer, whatever its name
    data = encode(PRODUCTS[0], Format.WHB_ROW, Compression.ZSTD_DICT, dictionary=second)

    again = FolderDictionaries(folder)
    newest = again.newest("product", Format.WHB_ROW)
    assert newest is not None
    assert newest.id == first.id
    assert decode(data, dictionaries=again) == PRODUCTS[0]
    assert decode(encode_body(menu("1")), dictionaries=again) == menu("1"), "the shipped ones lie below"
    assert sorted(path.name for path in folder.iterdir()) == sorted([file_name(first), file_name(second)])


def test_a_file_that_cannot_be_read_is_told_and_left_alone(tmp_path: Path) -> None:
    FolderDictionaries(tmp_path).add(trained())
    bad = tmp_path / "product-whb-row-00000000.whd"
    bad.write_bytes(b"no dictionary")
    store = FolderDictionaries(tmp_path)
    assert list(store.unreadable) == [bad.name]
    assert len(list(store)) == 1
    assert bad.read_bytes() == b"no dictionary"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FolderDictionaries(tmp_path / "file" / "folder")
    with pytest.raises(BadInput, match="cannot write"):
        store.add(trained())
    assert list(store) == [], "what was written with it could not be read after a restart"


def test_shipped_dictionaries_are_made_of_sandbox_data_alone_and_may_be_given_to_anyone() -> None:
    assert {each.origins for each in SHIPPED} == {("sandbox",)}
    assert {each.share for each in SHIPPED} == {ShareScope.PUBLIC}


RELEASED = {
    "lab_result-whb-column-c724f76d",
    "lab_result-whb-row-bd61fa82",
    "menu-whb-column-346c6fa9",
    "menu-whb-row-250aca32",
    "offer-whb-row-da0a8a3f",
    "price-whb-row-863008d1",
    "price_list-whb-column-c53af202",
    "price_list-whb-row-d178b8ae",
    "product-whb-row-e4e9a2d6",
    "promotion-whb-row-22ed84fb",
    "shop-whb-column-6620a3e9",
    "shop-whb-row-060bf3ee",
    "strain-whb-row-117d7025",
}


def test_shipped_dictionaries_are_never_taken_back() -> None:
    assert {file_name(each).removesuffix(".whd") for each in SHIPPED} >= RELEASED


def test_every_kind_that_entries_hold_has_a_shipped_dictionary() -> None:
    for body in Body.__args__:
        assert SHIPPED.newest(KINDS[body], Format.WHB_ROW) is not None, body
        data = encode_body(filled(body, 3))
        assert open_envelope(data).compression is Compression.ZSTD_DICT
    assert set(KINDS) == set(Body.__args__) | set(AnyRecord.__args__)


def test_a_record_without_a_dictionary_of_its_kind_is_refused_by_name() -> None:
    brand = filled(next(each for each in AnyRecord.__args__ if each.__name__ == "Brand"))
    with pytest.raises(BadInput, match="no dictionary for brand as whb-row"):
        encode(brand, Format.WHB_ROW, Compression.ZSTD_DICT)


def test_shipped_dictionaries_are_read_on_first_use() -> None:
    fresh = ShippedDictionaries()
    first = next(iter(SHIPPED))
    assert fresh.get(first.id).data == first.data
    assert ShippedDictionaries().newest("menu", Format.WHB_ROW) is not None
    with pytest.raises(UnknownVersion):
        fresh.get(b"none")


def test_items_and_kinds_of_bodies() -> None:
    assert kind_of(menu("1")) == "menu"
    assert kind_of(price_list("1", 3)) == "price_list"
    assert len(items_of(price_list("1", 3))) == 3
    product = Product(id="1", name="n", origin="o")
    assert items_of(product) == (product,)
