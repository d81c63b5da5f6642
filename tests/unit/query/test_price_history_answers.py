"""From rows to the answer: what was in force, what changed since, page by page."""

from __future__ import annotations

import doctest
import math

import pytest

from sample_prices import KEY, NOW, price, prices
from weedhounds.cache.changes import difference, state_of
from weedhounds.cache.history import MAX_CHANGES, PriceChange
from weedhounds.cache.history_memory import MemoryHistory
from weedhounds.errors import BadInput
from weedhounds.model.records import PriceList
from weedhounds.query import pricehistory
from weedhounds.query.pricehistory import (
    MAX_POINTS,
    HistoryRequest,
    PriceHistory,
    PricePoint,
    parse_time,
    price_history,
)


async def kept(*lists: PriceList) -> MemoryHistory:
    """Return a history in which the lists were seen a minute apart, from ``NOW`` on."""
    store = MemoryHistory()
    before: dict[tuple[str, str, str], PriceChange] = {}
    for n, each in enumerate(lists):
        after = state_of(KEY, each, NOW + 60 * n)
        await store.append_many(difference(before, after, NOW + 60 * n))  # type: ignore[arg-type]
        before = after  # type: ignore[assignment]
    return store


async def asked(store: MemoryHistory, since: float = 0.0, **how: object) -> PriceHistory:
    answer = await price_history(store, HistoryRequest.of(KEY, since, **how))  # type: ignore[arg-type]
    assert answer is not None
    return answer


def told(points: tuple[PricePoint, ...] | None) -> list[tuple[float, str, str | None]]:
    assert points is not None
    return [(p.at - NOW, p.product_id, None if p.price is None else str(p.price.amount)) for p in points]


RISE = (
    prices(price("a", "10.00"), price("b", "20.00")),
    prices(price("a", "11.00"), price("b", "20.00")),
    prices(price("a", "11.00")),
)


async def test_everything_from_the_beginning() -> None:
    answer = await asked(await kept(*RISE))
    assert answer.key == "product_pricing:weedmaps:7"
    assert (answer.origin, answer.since, answer.opening, answer.next_cursor) == ("weedmaps", 0.0, (), None)
    assert told(answer.changes) == [(0, "a", "10.00"), (0, "b", "20.00"), (60, "a", "11.00"), (120, "b", None)]


async def test_what_was_in_force_at_the_moment_is_told_before_the_changes_since() -> None:
    answer = await asked(await kept(*RISE), NOW + 60.001)
    assert told(answer.opening) == [(60, "a", "11.00"), (0, "b", "20.00")]
    assert told(answer.changes) == [(120, "b", None)]


async def test_a_change_of_the_very_moment_is_a_change() -> None:
    answer = await asked(await kept(*RISE), NOW + 60)
    assert told(answer.opening) == [(0, "a", "10.00"), (0, "b", "20.00")]
    assert told(answer.changes) == [(60, "a", "11.00"), (120, "b", None)]


async def test_after_the_last_change_what_is_in_force_is_still_told() -> None:
    answer = await asked(await kept(*RISE), NOW + 9999)
    assert (told(answer.opening), answer.changes) == ([(60, "a", "11.00")], ())


async def test_one_product_alone() -> None:
    answer = await asked(await kept(*RISE), product_id="b")
    assert told(answer.changes) == [(0, "b", "20.00"), (120, "b", None)]


async def test_a_list_recorded_again_shows_no_change() -> None:
    store = await kept(*RISE[:1])
    await store.append_many(list(state_of(KEY, RISE[0], NOW + 30).values()))
    assert told((await asked(store)).changes) == [(0, "a", "10.00"), (0, "b", "20.00")]
    assert (await asked(store, NOW + 30)).changes == ()


async def test_what_was_never_seen_has_no_answer() -> None:
    store = await kept(*RISE)
    assert await price_history(MemoryHistory(), HistoryRequest.of(KEY, 0.0)) is None
    assert await price_history(store, HistoryRequest.of(KEY, 0.0, product_id="zzz")) is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_pages_hold_every_row_once_though_many_are_of_one_moment(limit: int) -> None:
    lists = [prices(*(price(f"p{n:02}", f"{at + 1}.00") for n in range(13))) for at in range(4)]
    store = await kept(*lists)
    points: list[PricePoint] = []
    cursor: str | None = None
    for _ in range(200):
        page = await asked(store, limit=limit, cursor=cursor)
        assert len(page.changes) <= limit
        assert (page.opening is None) is (cursor is not None)
        points += page.changes
        cursor = page.next_cursor
        if cursor is None:
            break
    assert told(tuple(points)) == told((await asked(store)).changes)
    assert len(points) == 52


async def test_too_much_before_the_moment_leaves_the_opening_out() -> None:
    store = MemoryHistory()
    rows = list(state_of(KEY, prices(price("a")), NOW).values())
    many = [row for n in range(MAX_CHANGES) for row in state_of(KEY, prices(price("a")), NOW + n).values()]
    await store.append_many(many)
    assert rows[0] == many[0]
    assert (await asked(store, NOW + MAX_CHANGES)).opening is None
    assert (await asked(store, NOW + MAX_CHANGES - 1)).opening is not None


@pytest.mark.parametrize("since", [math.nan, math.inf, -math.inf, 1e12])
def test_a_moment_that_is_none_is_refused(since: float) -> None:
    with pytest.raises(BadInput, match="no time"):
        HistoryRequest.of(KEY, since)


@pytest.mark.parametrize("limit", [0, -1, MAX_POINTS + 1])
def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(BadInput, match="limit"):
        HistoryRequest.of(KEY, 0.0, limit=limit)


@pytest.mark.parametrize("cursor", ["", "x", "1-2-3", "-1-2", "1e3-2", "1-", "٣-1", "9" * 15 + "-1"])
def test_a_cursor_of_something_else_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        HistoryRequest.of(KEY, 0.0, cursor=cursor)


@pytest.mark.parametrize("text", ["", "now", "1e9", "-1", "12:00", "2025-02-30", "2025-06-15T25:00", "1750000000000"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a time"):
        parse_time(text)


def test_the_examples_hold() -> None:
    assert doctest.testmod(pricehistory).failed == 0
