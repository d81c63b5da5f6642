"""What is measured is kept for this machine, these versions and dictionaries, and chosen from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from record_strategies import RECORD_TYPES, filled
from sample_entries import menu, price_list
from weedhounds.clock import SystemClock
from weedhounds.codec import Compression, Encodable, Format, decode, encode
from weedhounds.codec import calibrate as calibrating
from weedhounds.codec.bench import Comparison, Effort, compare, levels_tried, measure, packed_bytes, ways
from weedhounds.codec.bench_report import BenchOptions, report
from weedhounds.codec.calibrate import FILE, TAGS, Profile, calibrate, load_profile, profile_key, save_profile
from weedhounds.codec.choose import Measured, SizedFigures, Timing, Use, Way, cheapest, prices_of
from weedhounds.codec.dictionary import train
from weedhounds.codec.dictionary_store import SHIPPED, MemoryDictionaries
from weedhounds.codec.rest import at_rest
from weedhounds.errors import BadInput, Corrupt
from weedhounds.model.datatypes import DataType
from weedhounds.model.records import Menu, Product, Shop

ONCE = Effort(budget_s=0.0, least_runs=1, most_runs=1)
CLOCK = SystemClock()
ROW = Way(Format.WHB_ROW, Compression.ZSTD, 3)
PLAIN = Way(Format.WHB_ROW, Compression.NONE, 0)
JSON = Way(Format.JSON, Compression.GZIP, 2)


class SteppingClock(SystemClock):
    """A clock whose every look is a millisecond after the last."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.looks * 1e-3


def test_all_formats_and_compressions_are_tried() -> None:
    tried = {(way.format, way.compression) for way in ways()}
    assert tried == {(format_, compression) for format_ in Format for compression in Compression}
    assert all(way.level in levels_tried(way.compression) for way in ways())


def test_a_measurement_tells_bytes_and_seconds_of_one_record() -> None:
    records = [menu("1", 20), menu("2", 40)]
    found = measure(records, ROW, clock=SteppingClock(), effort=Effort(1.0, 3, 3), dictionaries=SHIPPED)
    sizes = [len(encode(record, ROW.format, ROW.compression, level=3)) for record in records]
    assert found.stored_bytes == round(sum(sizes) / 2)
    assert found.encode.low_s == found.encode.high_s == pytest.approx(0.5e-3)
    assert (found.encode.runs, found.decode.runs) == (3, 3)


def test_what_is_fast_is_repeated_until_the_clock_can_see_it() -> None:
    found = measure([menu("1")], PLAIN, clock=CLOCK, effort=Effort(0.0, 2, 2), dictionaries=SHIPPED)
    assert 0 < found.encode.low_s <= found.encode.median_s <= found.encode.high_s
    assert found.encode.low_s < 0.1


def test_records_of_several_types_are_not_compared() -> None:
    with pytest.raises(BadInput, match="one type"):
        compare([menu("1"), price_list("1", 1)], clock=CLOCK)
    with pytest.raises(BadInput, match="one type"):
        compare([], clock=CLOCK)


def test_what_cannot_be_measured_is_told_with_the_reason() -> None:
    unfit: list[Any] = [Shop(key="k", origin="o", id="1", name="n", lat=float("nan"))]
    told = compare(unfit, clock=CLOCK, effort=ONCE, asked=[ROW, JSON]).refused
    assert {(each.format, each.compression) for each in told} == {(w.format, w.compression.value) for w in (ROW, JSON)}
    assert all("number that is none" in each.why for each in told)
    tiny = compare([menu("1")], clock=CLOCK, effort=ONCE, asked=[JSON]).refused
    assert "stored as it is" in tiny[0].why
    without = Way(Format.MSGPACK, Compression.ZSTD_DICT, 3)
    assert "no dictionary" in compare([menu("1", 20)], clock=CLOCK, effort=ONCE, asked=[without]).refused[0].why


def test_a_dictionary_given_is_used() -> None:
    own = train([menu(str(n), 30) for n in range(20)], "menu", origins={}, format=Format.MSGPACK, size_bytes=4_096)
    way = Way(Format.MSGPACK, Compression.ZSTD_DICT, 3)
    found = compare(
        [menu("1", 20)], clock=CLOCK, effort=ONCE, asked=[way], dictionaries=MemoryDictionaries([own])
    ).figures
    plain = encode(menu("1", 20), Format.MSGPACK, Compression.ZSTD)
    assert found[0].stored_bytes < len(plain)


def test_a_calibration_holds_every_type_of_body_at_two_sizes() -> None:
    bodies = [filled(kind, 3) for kind in RECORD_TYPES]
    profile = calibrate(bodies, clock=CLOCK, effort=ONCE)
    assert set(profile.types) == {str(kind.__struct_config__.tag) for kind in RECORD_TYPES}
    assert len(profile.types["menu"]) == 2
    assert len(profile.types["shop"]) == 1
    for data_type in TAGS:
        for use in Use:
            assert profile.choose(data_type, 5_000, use).costs


@pytest.fixture(scope="module")
def profile() -> Profile:
    return calibrate([menu("1", 60)], clock=CLOCK, effort=ONCE)


def test_the_choice_of_a_profile_is_the_least_cost_of_its_figures(profile: Profile) -> None:
    sized = profile.types["menu"][-1]
    for use in Use:
        choice = profile.choose(DataType.DISPENSARY_MENU, sized.size_bytes, use)
        assert choice == cheapest(sized.figures, prices_of(use))
        assert choice.costs[0].cost_s == min(each.cost_s for each in choice.costs)


def test_the_choice_of_a_profile_changes_with_the_link(profile: Profile) -> None:
    size = profile.types["menu"][-1].size_bytes
    slow = profile.choose("menu", size, Use.WIRE, link_bytes_per_s=100.0)
    fast = profile.choose("menu", size, Use.WIRE, link_bytes_per_s=1e12)
    figures = profile.types["menu"][-1].figures
    smallest = min(figures, key=lambda each: each.stored_bytes)
    fastest = min(figures, key=lambda each: each.encode.median_s + each.decode.median_s)
    assert slow.costs[0].stored_bytes == smallest.stored_bytes
    assert fast.way == fastest.way
    assert slow.way != fast.way


def test_a_type_that_was_not_measured_has_no_choice(profile: Profile) -> None:
    with pytest.raises(BadInput):
        profile.choose(DataType.LAB_RESULTS, 1_000, Use.HOT)


def test_a_profile_is_kept_and_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def counted(*arguments: Any, **options: Any) -> Comparison:
        found = compare(*arguments, **options)
        measured.append(found.type)
        return found

    monkeypatch.setattr(calibrating, "compare", counted)
    first = calibrate([menu("1", 5)], clock=CLOCK, folder=tmp_path, effort=ONCE)
    assert measured == ["menu", "menu"]
    assert calibrate([menu("2", 9)], clock=CLOCK, folder=tmp_path, effort=ONCE) == first
    assert measured == ["menu", "menu"]
    both = calibrate([menu("1", 5), price_list("1", 5)], clock=CLOCK, folder=tmp_path, effort=ONCE)
    assert measured == ["menu", "menu", "price_list", "price_list"]
    assert both.types["menu"] == first.types["menu"]
    assert load_profile(tmp_path) == both


def test_a_profile_of_another_machine_version_or_dictionary_is_measured_anew(tmp_path: Path) -> None:
    other = Profile("another key", {"menu": ()})
    save_profile(other, tmp_path)
    found = calibrate([menu("1", 5)], clock=CLOCK, folder=tmp_path, effort=ONCE)
    assert found.key == profile_key(SHIPPED) != other.key
    assert load_profile(tmp_path) == found
    own = train([menu(str(n), 30) for n in range(20)], "menu", origins={}, size_bytes=4_096)
    assert profile_key(MemoryDictionaries([own], below=SHIPPED)) != profile_key(SHIPPED)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": 5}', b"\xff\xfe"])
def test_a_damaged_profile_is_measured_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert load_profile(tmp_path) is None
    assert calibrate([menu("1", 5)], clock=CLOCK, folder=tmp_path, effort=ONCE).types
    assert load_profile(tmp_path) is not None


def test_a_folder_that_cannot_be_written_keeps_nothing_and_harms_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    assert calibrate([menu("1", 5)], clock=CLOCK, folder=file / "below", effort=ONCE).types


def test_without_records_there_is_nothing_to_calibrate() -> None:
    with pytest.raises(BadInput):
        calibrate([], clock=CLOCK)


def made_up(*figures: tuple[Way, int, float, float]) -> Profile:
    """Return a profile of menus with invented figures, equal at all sizes."""
    found = tuple(
        Measured(way, size, Timing(enc, enc, enc, 1), Timing(dec, dec, dec, 1)) for way, size, enc, dec in figures
    )
    return Profile("k", {"menu": (SizedFigures(1, found),)})


def test_a_body_is_encoded_anew_at_rest_where_that_pays() -> None:
    record = menu("1", 200)
    held = encode(record, Format.JSON, Compression.NONE)
    profile = made_up((Way(Format.JSON, Compression.NONE, 0), len(held), 1e-5, 1e-5), (ROW, len(held) // 9, 1e-4, 1e-5))
    new = at_rest(held, profile)
    assert new is not None
    assert len(new) < len(held) // 4
    assert new == encode(record, Format.WHB_ROW, Compression.ZSTD, level=3)
    assert decode(new) == record
    assert at_rest(held, profile, record=record) == new
    assert at_rest(new, profile) is None


def test_a_body_stays_as_it_is_where_the_bytes_saved_are_worth_less_than_the_work() -> None:
    held = encode(menu("1", 200), Format.JSON, Compression.NONE)
    slow = made_up((Way(Format.JSON, Compression.NONE, 0), len(held), 1e-5, 1e-5), (ROW, len(held) // 9, 5.0, 1e-5))
    assert at_rest(held, slow) is None
    assert at_rest(held, slow, cpu_price=1e-6) is not None


def test_a_body_of_which_nothing_is_known_stays_as_it_is() -> None:
    held = encode(menu("1", 200), Format.JSON, Compression.NONE)
    assert at_rest(held, Profile("k")) is None
    assert at_rest(held, made_up((ROW, 100, 1e-6, 1e-6))) is None


def test_a_damaged_body_is_corrupt(profile: Profile) -> None:
    held = bytearray(encode(menu("1", 200), Format.JSON, Compression.NONE))
    held[100] ^= 1
    with pytest.raises(Corrupt):
        at_rest(bytes(held), profile)


def test_a_report_shows_rates_marks_and_choices() -> None:
    seen: list[tuple[int, int]] = []
    sample: dict[str, list[Encodable]] = {"menu": [menu("1", 30)], "product": [*menu("1", 30).products]}
    found = report(
        sample, BenchOptions(effort=ONCE), clock=CLOCK, progress=lambda done, known: seen.append((done, known))
    )
    assert [each.type for each in found.types] == ["menu", "product"]
    for each in found.types:
        assert [row.bytes for row in each.rows] == sorted(row.bytes for row in each.rows)
        assert all(row.encode.low_per_s <= row.encode.per_s <= row.encode.high_per_s for row in each.rows)
        assert any(row.is_pareto for row in each.rows)
        assert set(each.choices) == set(Use)
    rows = {(row.format, row.compression, row.level): row for row in found.types[0].rows}
    baseline = rows[Format.ORJSON, Compression.ZLIB, 6]
    assert baseline.of_baseline == 1
    assert rows[Format.ORJSON, Compression.NONE, 0].of_baseline == pytest.approx(
        rows[Format.ORJSON, Compression.NONE, 0].bytes / baseline.bytes, abs=1e-3
    )
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_the_size_that_choices_go_by_is_that_of_messagepack() -> None:
    assert packed_bytes([menu("1"), menu("2")]) == len(msgspec.msgpack.encode(menu("1")))
    assert packed_bytes([Menu(origin="o", shop_id="1", products=(Product(id="1", name="n", origin="o"),))]) > 0
