"""The choice is the least cost of what was measured, whatever that was, and follows the link."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.codec.base import Compression, Format
from weedhounds.codec.choose import (
    PRICES,
    Measured,
    Prices,
    SizedFigures,
    Timing,
    Use,
    Way,
    at_size,
    cheapest,
    cost,
    pareto,
    prices_of,
)
from weedhounds.errors import BadInput


def timing(seconds: float) -> Timing:
    return Timing(seconds * 0.9, seconds, seconds * 2, 5)


def measured(stored_bytes: int, encode_us: float, decode_us: float, *, way: Way | None = None) -> Measured:
    return Measured(
        way or Way(Format.MSGPACK, Compression.ZSTD, 3), stored_bytes, timing(encode_us / 1e6), timing(decode_us / 1e6)
    )


RAW = measured(20_000, 20, 30, way=Way(Format.MSGPACK, Compression.NONE, 0))
SMALL = measured(2_000, 4_000, 200, way=Way(Format.WHB_COLUMN, Compression.ZSTD, 19))
MIDDLE = measured(4_000, 150, 80, way=Way(Format.WHB_ROW, Compression.ZSTD, 3))
POOR = measured(9_000, 5_000, 300, way=Way(Format.JSON, Compression.BROTLI, 9))
ALL = (RAW, SMALL, MIDDLE, POOR)


def test_the_cost_is_bytes_encoding_and_decodings() -> None:
    found = cost(MIDDLE, Prices(byte_price_s=1e-6, reads=3), cpu_price=2)
    assert found.bytes_s == pytest.approx(4_000e-6)
    assert found.encode_s == pytest.approx(2 * 150e-6)
    assert found.decode_s == pytest.approx(2 * 3 * 80e-6)
    assert found.cost_s == pytest.approx(found.bytes_s + found.encode_s + found.decode_s)


figures = st.lists(
    st.builds(
        lambda number, size, encode, decode: measured(
            size, encode, decode, way=Way(list(Format)[number % 7], list(Compression)[number // 7], 0)
        ),
        st.integers(0, 48),
        st.integers(1, 10**6),
        st.floats(0.1, 1e5),
        st.floats(0.1, 1e5),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda each: each.way,
)


@given(figures, st.floats(0, 1e-3), st.floats(0, 100), st.floats(0, 10))
def test_the_choice_is_the_least_cost(found: list[Measured], byte_price: float, reads: float, cpu: float) -> None:
    prices = Prices(byte_price, reads)
    choice = cheapest(found, prices, cpu_price=cpu)
    again = {
        each.way: each.stored_bytes * byte_price + cpu * (each.encode.median_s + reads * each.decode.median_s)
        for each in found
    }
    assert again[choice.way] == pytest.approx(min(again.values()))
    assert [each.cost_s for each in choice.costs] == sorted(each.cost_s for each in choice.costs)
    assert {each.way for each in choice.costs} == set(again)


@given(figures)
def test_the_order_of_measuring_does_not_change_the_choice(found: list[Measured]) -> None:
    other = list(found)
    Random(1).shuffle(other)
    assert cheapest(found, PRICES[Use.WIRE]) == cheapest(other, PRICES[Use.WIRE])


def test_the_choice_changes_with_the_link() -> None:
    by_link = {
        link: cheapest(ALL, prices_of(Use.WIRE, link_bytes_per_s=link)).way for link in (1e4, 1e6, 1e7, 1e9, 1e12)
    }
    assert by_link[1e4] == SMALL.way
    assert by_link[1e7] == MIDDLE.way
    assert by_link[1e12] == RAW.way


def test_the_choice_changes_with_the_price_of_the_processor() -> None:
    prices = prices_of(Use.WIRE)
    assert cheapest(ALL, prices, cpu_price=0).way == SMALL.way
    assert cheapest(ALL, prices, cpu_price=1_000).way == RAW.way


def test_the_choice_changes_with_the_reads() -> None:
    slow_to_read = measured(3_000, 10, 900, way=Way(Format.ARROW, Compression.NONE, 0))
    found = (slow_to_read, MIDDLE)
    assert cheapest(found, prices_of(Use.REST, reads=0)).way == slow_to_read.way
    assert cheapest(found, prices_of(Use.REST, reads=50)).way == MIDDLE.way


def test_the_link_matters_on_the_wire_alone() -> None:
    assert prices_of(Use.HOT, link_bytes_per_s=1.0) == PRICES[Use.HOT]
    assert prices_of(Use.WIRE, link_bytes_per_s=50.0).byte_price_s == pytest.approx(1 / 50)


@pytest.mark.parametrize("link", [0.0, -1.0, float("nan")])
def test_a_link_that_carries_nothing_is_bad_input(link: float) -> None:
    with pytest.raises(BadInput):
        prices_of(Use.WIRE, link_bytes_per_s=link)


def test_fewer_reads_than_none_are_bad_input() -> None:
    with pytest.raises(BadInput):
        prices_of(Use.REST, reads=-1)


def test_without_figures_there_is_no_choice() -> None:
    with pytest.raises(BadInput):
        cheapest([], PRICES[Use.HOT])
    with pytest.raises(BadInput):
        at_size([], 100)


def test_figures_grow_by_a_straight_line_between_and_beyond_the_sizes() -> None:
    sized = (SizedFigures(1_000, (measured(100, 10, 20),)), SizedFigures(3_000, (measured(200, 30, 40),)))
    assert at_size(sized, 2_000)[0].stored_bytes == 150
    assert at_size(sized, 5_000)[0].encode.median_s == pytest.approx(50e-6)
    assert at_size(sized, 10)[0] == sized[0].figures[0]
    assert at_size(sized[:1], 10**9) == sized[0].figures


def test_a_way_that_was_too_small_to_compress_grows_from_its_format_alone() -> None:
    none, packed = Way(Format.MSGPACK, Compression.NONE, 0), Way(Format.MSGPACK, Compression.ZSTD, 3)
    sized = (
        SizedFigures(100, (measured(100, 1, 1, way=none),)),
        SizedFigures(1_100, (measured(1_100, 10, 10, way=none), measured(300, 20, 15, way=packed))),
    )
    assert {each.way: each.stored_bytes for each in at_size(sized, 600)} == {none: 600, packed: 200}


def test_only_what_nothing_beats_in_everything_is_marked() -> None:
    assert pareto(ALL) == {RAW.way, SMALL.way, MIDDLE.way}
    assert pareto([RAW, RAW]) == {RAW.way}


def test_a_way_reads_as_format_compression_and_level() -> None:
    assert str(SMALL.way) == "whb-column+zstd:19"
    assert str(RAW.way) == "msgpack+none"
