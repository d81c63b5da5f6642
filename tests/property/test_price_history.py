"""The history of prices says what was observed, in whatever order the observations come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sample_prices import KEY, NOW, price_entry, price_lists, told, told_by
from weedhounds.cache.changes import difference, replay, state_of
from weedhounds.cache.entry import Entry
from weedhounds.cache.history import PriceChange
from weedhounds.cache.history_memory import MemoryHistory
from weedhounds.cache.recorder import HistoryRecorder
from weedhounds.clock import ManualClock
from weedhounds.model.records import PriceList

DAY = 86_400.0
observed_lists = st.lists(price_lists(), min_size=1, max_size=12)


@given(observed_lists)
def test_replaying_baseline_and_differences_rebuilds_every_state(lists: list[PriceList]) -> None:
    rows: list[PriceChange] = []
    state: dict[tuple[str, str, str], PriceChange] = {}
    for at, each in enumerate(lists):
        after = state_of(KEY, each, float(at))
        rows += difference(state, after, float(at))  # type: ignore[arg-type]
        state = after  # type: ignore[assignment]
    for at, each in enumerate(lists):
        assert told(replay(rows, until=float(at))) == told_by(each)


@given(price_lists(), price_lists())
def test_a_difference_holds_no_row_that_changes_nothing(one: PriceList, other: PriceList) -> None:
    before, after = state_of(KEY, one, 0.0), state_of(KEY, other, 1.0)
    rows = difference(before, after, 1.0)
    assert len({(r.product_id, r.variant_label, r.market) for r in rows}) == len(rows)
    assert all(told({o: before[o]}) != told({o: r}) for r in rows if (o := _offer(r)) in before)
    assert all(_offer(r) in before for r in rows if r.price is None)
    assert difference(after, after, 2.0) == []


def _offer(row: PriceChange) -> tuple[str, str, str]:
    return row.product_id, row.variant_label, row.market


async def _record(entries: Sequence[Entry], *, retention_s: float, with_old: bool = False) -> list[PriceChange]:
    store = MemoryHistory()
    recorder = HistoryRecorder(store, clock=ManualClock(NOW), retention_s=retention_s, gather_s=0.0)
    recorder.start()
    old: Entry | None = None
    for entry in entries:
        recorder.observe(entry, old if with_old else None)
        old = entry
    await recorder.close()
    stats = recorder.stats()
    assert (stats.observations, stats.lost, stats.skipped, stats.failures) == (len(entries), 0, 0, 0)
    assert stats.rows == len(store)
    return await store.changes(KEY)


@given(lists=observed_lists, order=st.randoms(use_true_random=False), spacing_s=st.sampled_from([600.0, 40 * DAY]))
def test_a_recorded_history_rebuilds_every_observed_list_in_whatever_order_they_come(
    lists: list[PriceList], order: object, spacing_s: float
) -> None:
    entries = [price_entry(each, NOW + n * spacing_s) for n, each in enumerate(lists)]
    shuffled = list(entries)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    rows = asyncio.run(_record(shuffled, retention_s=90 * DAY))
    for entry, each in zip(entries, lists, strict=True):
        assert told(replay(rows, until=entry.fetched_at)) == told_by(each)


@given(lists=observed_lists)
def test_in_order_only_what_changed_is_kept(lists: list[PriceList]) -> None:
    entries = [price_entry(each, NOW + n) for n, each in enumerate(lists)]
    expected: list[PriceChange] = []
    for n, each in enumerate(lists):
        before = state_of(KEY, lists[n - 1], 0.0) if n else {}
        expected += difference(before, state_of(KEY, each, NOW + n), NOW + n)
    rows = asyncio.run(_record(entries, retention_s=1e9))
    assert sorted(rows, key=repr) == sorted(expected, key=repr)


@given(lists=observed_lists, stops=st.sets(st.integers(0, 11)))
def test_restarts_between_observations_lose_nothing(lists: list[PriceList], stops: set[int]) -> None:
    entries = [price_entry(each, NOW + 600.0 * n) for n, each in enumerate(lists)]

    async def run() -> list[PriceChange]:
        store = MemoryHistory()
        recorder = _started(store)
        for n, entry in enumerate(entries):
            recorder.observe(entry, entries[n - 1] if n else None)
            if n in stops:
                await recorder.close()
                recorder = _started(store)
        await recorder.close()
        return await store.changes(KEY)

    rows = asyncio.run(run())
    for entry, each in zip(entries, lists, strict=True):
        assert told(replay(rows, until=entry.fetched_at)) == told_by(each)


def _started(store: MemoryHistory) -> HistoryRecorder:
    recorder = HistoryRecorder(store, clock=ManualClock(NOW), retention_s=90 * DAY, gather_s=0.0)
    recorder.start()
    return recorder


@given(lists=observed_lists, spacing_s=st.sampled_from([DAY, 20 * DAY, 60 * DAY]), start=st.integers(0, 90))
def test_dropping_what_is_past_its_retention_keeps_the_prices_in_force(
    lists: list[PriceList], spacing_s: float, start: int
) -> None:
    retention_s = 90 * DAY
    entries = [price_entry(each, NOW + start * DAY + n * spacing_s) for n, each in enumerate(lists)]

    async def run() -> list[list[PriceChange]]:
        store = MemoryHistory()
        recorder = _started(store)
        kept = []
        for entry in entries:
            recorder.observe(entry)
            await recorder.settle(10)
            await store.drop_before(entry.fetched_at - retention_s)
            kept.append(await store.changes(KEY))
        await recorder.close()
        return kept

    for rows, each in zip(asyncio.run(run()), lists, strict=True):
        assert told(replay(rows)) == told_by(each)
