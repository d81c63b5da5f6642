"""Recorded answers come back from every layout, and the sizes that were promised are reached."""

from __future__ import annotations

import gzip
import statistics
from collections.abc import Iterator

import msgspec
import orjson
import pytest

from answers import RECORDED, read_answer
from weedhounds import sources
from weedhounds.codec import Compression, Encodable, Format, decode, encode
from weedhounds.codec.dictionary import Dictionary, train
from weedhounds.codec.dictionary_store import MemoryDictionaries
from weedhounds.codec.kinds import kind_of
from weedhounds.codec.patch import decode_patch, encode_patch
from weedhounds.model.records import LabResultList, Menu, PriceList
from weedhounds.sources.assemble import menu_bodies
from weedhounds.sources.base import Parsed

pytestmark = [pytest.mark.recorded, pytest.mark.timeout(60)]
MENUS = {
    "dutchie": "dutchie/filteredProducts_*",
    "jane": "jane/menu-products_*",
    "leafly": "leafly/products_*",
    "weedmaps": "weedmaps/menu_*",
}
REGISTRY = "socrata-ct/brand_registry_*"
SOME = 60
"""Records of each origin that sizes are measured on."""


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Parsed]]:
    found = {
        origin: [sources.source_class(origin).parse(read_answer(path)) for path in sorted(RECORDED.glob(pattern))]
        for origin, pattern in {**MENUS, "socrata_ct": REGISTRY}.items()
    }
    assert all(found.values())
    return found


def bodies_of(origin: str, parsed: Parsed) -> Iterator[Menu | PriceList]:
    for body in menu_bodies(origin, parsed.shop_id or "1", parsed.products, parsed.prices).values():
        assert isinstance(body, Menu | PriceList)
        yield body


def as_api(record: Encodable) -> int:
    """Return the bytes that the same record takes as an API ships it."""
    return len(gzip.compress(orjson.dumps(msgspec.to_builtins(record)), 6))


def test_every_recorded_record_comes_back_as_row(answers: dict[str, list[Parsed]]) -> None:
    for origin, found in answers.items():
        for parsed in found:
            for record in parsed.records()[:: 1 if origin != "socrata_ct" else 40]:
                assert decode(encode(record, Format.WHB_ROW, Compression.ZSTD_DICT)) == record


@pytest.mark.parametrize("format_", [Format.WHB_ROW, Format.WHB_COLUMN], ids=str)
def test_every_recorded_menu_comes_back(answers: dict[str, list[Parsed]], format_: Format) -> None:
    for origin in MENUS:
        for parsed in answers[origin]:
            for body in bodies_of(origin, parsed):
                assert decode(encode(body, format_, Compression.ZSTD_DICT)) == body


def test_the_recorded_registry_comes_back_from_columns(answers: dict[str, list[Parsed]]) -> None:
    (parsed,) = answers["socrata_ct"]
    body = LabResultList(origin="socrata_ct", results=tuple(parsed.lab_results))
    data = encode(body, Format.WHB_COLUMN, Compression.ZSTD_DICT)
    assert decode(data) == body
    assert as_api(body) / len(data) > 2.2


def test_the_next_recorded_menu_is_a_patch_of_the_one_before(answers: dict[str, list[Parsed]]) -> None:
    menus = [body for parsed in answers["weedmaps"][:8] for body in bodies_of("weedmaps", parsed)]
    for old, new in zip(menus, menus[2:], strict=False):
        assert decode_patch(encode_patch(new, old), old) == new


def spread(records: list[Encodable]) -> list[Encodable]:
    return records[:: max(1, len(records) // SOME)]


def offers_and_results(answers: dict[str, list[Parsed]]) -> dict[str, list[Encodable]]:
    """Return single records as ``sources parse`` tells them: offers, what has no offer, laboratory results."""
    return {
        origin: [record for parsed in found for record in spread(list(parsed.records()))]
        for origin, found in answers.items()
    }


def times_smaller(records: list[Encodable], dictionaries: dict[str, Dictionary] | None = None) -> float:
    ours = sum(
        len(
            encode(
                record,
                Format.WHB_ROW,
                Compression.ZSTD_DICT,
                dictionary=None if dictionaries is None else dictionaries[kind_of(record)],
            )
        )
        for record in records
    )
    return sum(map(as_api, records)) / ours


def test_a_record_is_over_two_and_a_half_times_smaller_with_the_shipped_dictionary(
    answers: dict[str, list[Parsed]],
) -> None:
    found = offers_and_results(answers)
    assert statistics.geometric_mean(times_smaller(records) for records in found.values()) >= 2.5


def test_a_record_is_over_three_times_smaller_with_a_dictionary_of_other_shops(
    answers: dict[str, list[Parsed]],
) -> None:
    """Every second answer, and producer, is learnt from, the others are measured; and the other way round."""
    halves: list[dict[str, list[Encodable]]] = []
    for half in (0, 1):
        own: dict[str, list[Encodable]] = {
            origin: [record for parsed in found[half::2] for record in parsed.records()]
            for origin, found in answers.items()
            if origin != "socrata_ct"
        }
        own["socrata_ct"] = [
            result
            for parsed in answers["socrata_ct"]
            for result in parsed.lab_results[::4]
            if sum((result.producer or "").encode()) % 2 == half
        ]
        halves.append(own)
    ratios: dict[str, list[float]] = {}
    for learnt, measured in (halves, halves[::-1]):
        pool = [record for records in learnt.values() for record in records[::2]]
        dictionaries = {kind: train(pool, kind, origins={}) for kind in ("offer", "lab_result", "product")}
        for origin, records in measured.items():
            some = [record for record in spread(records) if kind_of(record) in dictionaries]
            if some:
                ratios.setdefault(origin, []).append(times_smaller(some, dictionaries))
    assert set(ratios) == set(answers)
    assert statistics.geometric_mean(statistics.mean(each) for each in ratios.values()) >= 3.0


def test_menus_are_as_small_as_promised(answers: dict[str, list[Parsed]]) -> None:
    """Rows with the shipped dictionary; columns with one of other shops (every second answer is learnt from)."""
    found = answers["weedmaps"]
    learnt = [body for parsed in found[::2] for body in bodies_of("weedmaps", parsed)]
    measured = [body for parsed in found[1::2] for body in bodies_of("weedmaps", parsed) if len(parsed.products) >= 20]
    own = {kind: train(learnt, kind, origins={}, format=Format.WHB_COLUMN) for kind in ("menu", "price_list")}
    yardstick = sum(map(as_api, measured))
    rows = sum(len(encode(body, Format.WHB_ROW, Compression.ZSTD_DICT)) for body in measured)
    whole = [encode(body, Format.WHB_COLUMN, Compression.ZSTD_DICT, dictionary=own[kind_of(body)]) for body in measured]
    assert yardstick / rows >= 1.2
    assert yardstick / sum(map(len, whole)) >= 1.7
    store = MemoryDictionaries(own.values())
    assert all(decode(data, dictionaries=store) == body for data, body in zip(whole, measured, strict=True))
