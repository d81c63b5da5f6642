"""What was observed of prices reaches the history: off the path of answers, in its own place, or counted as lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import structlog

from sample_entries import menu_entry
from sample_prices import KEY, NOW, price, price_entry, prices, spelled
from weedhounds.cache import recorder as recorder_module
from weedhounds.cache.changes import offer_id, replay, state_of
from weedhounds.cache.entry import Entry
from weedhounds.cache.history import PriceChange
from weedhounds.cache.history_memory import MemoryHistory
from weedhounds.cache.observation import MAX_OFFERS
from weedhounds.cache.recorder import MAX_WAITING, SWEEP_S, HistoryRecorder
from weedhounds.clock import ManualClock
from weedhounds.errors import TierUnavailable

DAY = 86_400.0
RETENTION_S = 90 * DAY


class Store(MemoryHistory):
    """History in memory that fails when told, waits when told, and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.is_down = False
        self.gate: asyncio.Event | None = None
        self.appends: list[int] = []
        self.reads = 0

    async def append_many(self, changes: Sequence[PriceChange]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.is_down:
            raise TierUnavailable("the history is down")
        self.appends.append(len(changes))
        await super().append_many(changes)

    async def changes(self, *args: object, **kwargs: object) -> list[PriceChange]:
        self.reads += 1
        if self.is_down:
            raise TierUnavailable("the history is down")
        return await super().changes(*args, **kwargs)  # type: ignore[arg-type]

    async def drop_before(self, moment: float) -> int:
        if self.is_down:
            raise TierUnavailable("the history is down")
        return await super().drop_before(moment)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def recorder(store: Store, clock: ManualClock) -> AsyncIterator[HistoryRecorder]:
    made = HistoryRecorder(store, clock=clock, retention_s=RETENTION_S, gather_s=0.0)
    made.start()
    yield made
    await made.close()


async def rows(recorder: HistoryRecorder, store: Store) -> list[tuple[float, str, str | None]]:
    """Return what is recorded of the shop, once everything observed so far is."""
    await recorder.settle(10)
    return spelled(await store.changes(KEY))


async def test_the_first_sight_of_a_shop_is_its_baseline(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe(price_entry(prices(price("a", "10.00"), price("b", "20.00"))))
    assert await rows(recorder, store) == [(0, "a", "10.00"), (0, "b", "20.00")]


async def test_only_what_changed_is_recorded(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe(price_entry(prices(price("a", "10.00"), price("b", "20.00"))))
    recorder.observe(price_entry(prices(price("a", "11.00"), price("c", "30.00")), NOW + 60))
    assert (await rows(recorder, store))[2:] == [(60, "a", "11.00"), (60, "b", None), (60, "c", "30.00")]


@pytest.mark.parametrize(
    "change", [{"in_stock": True}, {"quantity": 3.0}, {"list_price": price("x", "50.00").price}, {"amount": "9.00"}]
)
async def test_each_fact_of_price_and_stock_counts_as_a_change(
    recorder: HistoryRecorder, store: Store, change: dict[str, object]
) -> None:
    recorder.observe(price_entry(prices(price("a"))))
    recorder.observe(price_entry(prices(price("a", **change)), NOW + 60))  # type: ignore[arg-type]
    assert [at for at, _, _ in await rows(recorder, store)] == [0, 60]


async def test_a_list_that_says_the_same_is_not_decoded_nor_recorded(
    recorder: HistoryRecorder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = prices(price("a"))
    recorder.observe(price_entry(record))
    await recorder.settle(10)

    def fail(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(recorder_module, "rows_of", fail)
    before = store.reads
    for n in range(1, 4):
        recorder.observe(price_entry(record, NOW + n))
    assert await rows(recorder, store) == [(0, "a", "35.00")]
    assert (store.reads - before, recorder.stats().unchanged) == (1, 3)


async def test_entries_of_other_types_are_not_looked_at(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe(menu_entry("7"))
    await recorder.settle(10)
    assert (recorder.stats().observations, len(store)) == (0, 0)


async def test_observing_waits_for_nothing(recorder: HistoryRecorder, store: Store) -> None:
    store.gate = asyncio.Event()
    recorder.observe(price_entry(prices(price("a"))))
    await recorder.settle(0.01)
    assert (len(store), recorder.stats().rows) == (0, 0)
    store.gate.set()
    assert await rows(recorder, store) == [(0, "a", "35.00")]


async def test_after_a_start_the_replaced_entry_is_the_last_state(
    recorder: HistoryRecorder, store: Store, clock: ManualClock
) -> None:
    old = price_entry(prices(price("a", "10.00"), price("b", "20.00")))
    recorder.observe(old)
    await recorder.close()
    again = HistoryRecorder(store, clock=clock, retention_s=RETENTION_S, gather_s=0.0)
    again.start()
    again.observe(price_entry(prices(price("a", "10.00"), price("b", "21.00")), NOW + 60), old)
    await again.close()
    assert spelled(await store.changes(KEY))[2:] == [(60, "b", "21.00")]


async def test_a_replaced_entry_that_is_not_the_last_state_is_not_believed(
    recorder: HistoryRecorder, store: Store
) -> None:
    row = replay_rows(price_entry(prices(price("a", "10.00"))), price_entry(prices(price("a", "12.00")), NOW + 30))
    await store.append_many(row)  # another node has seen the price rise to 12
    stale = price_entry(prices(price("a", "10.00")))
    recorder.observe(price_entry(prices(price("a", "10.00")), NOW + 60), stale)
    assert await rows(recorder, store) == [(0, "a", "10.00"), (30, "a", "12.00"), (60, "a", "10.00")]


def replay_rows(*entries: Entry) -> list[PriceChange]:
    """Return the whole lists as rows, as another node may have recorded them."""
    return [row for e in entries for row in state_of(e.key, e.record, e.fetched_at).values()]  # type: ignore[arg-type]


async def test_without_any_history_a_replaced_entry_does_not_stand_for_a_baseline(
    recorder: HistoryRecorder, store: Store
) -> None:
    recorder.observe(price_entry(prices(price("a")), NOW + 60), price_entry(prices(price("a"))))
    assert await rows(recorder, store) == [(60, "a", "35.00")]


async def test_a_late_list_stands_in_its_own_place_and_changes_nothing_after_it(
    recorder: HistoryRecorder, store: Store
) -> None:
    recorder.observe(price_entry(prices(price("a", "10.00"))))
    recorder.observe(price_entry(prices(price("a", "10.00")), NOW + 60))
    recorder.observe(price_entry(prices(price("a", "9.00"), price("b", "1.00")), NOW + 30))
    assert await rows(recorder, store) == [
        (0, "a", "10.00"), (30, "a", "9.00"), (30, "b", "1.00"), (60, "a", "10.00"), (60, "b", None)
    ]  # fmt: skip


async def test_older_data_that_says_the_same_invents_no_change(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe(price_entry(prices(price("a"))))
    recorder.observe_part(KEY, prices(price("a")), NOW - 500 * DAY)
    recorder.observe_part(KEY, prices(price("a")), NOW - 400 * DAY)
    assert await rows(recorder, store) == [(-500 * DAY, "a", "35.00"), (0, "a", "35.00")]


async def test_a_part_of_a_list_proves_no_absence(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe_part(KEY, prices(price("a", "10.00")), NOW)
    recorder.observe_part(KEY, prices(price("b", "20.00")), NOW)
    recorder.observe_part(KEY, prices(price("b", "21.00")), NOW + 60)
    assert await rows(recorder, store) == [(0, "a", "10.00"), (0, "b", "20.00"), (60, "b", "21.00")]


async def test_a_whole_list_after_parts_ends_what_only_they_told_of(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe(price_entry(prices(price("a"))))
    recorder.observe_part(KEY, prices(price("b")), NOW + 30)
    recorder.observe(price_entry(prices(price("a")), NOW + 60))
    assert await rows(recorder, store) == [(0, "a", "35.00"), (30, "b", "35.00"), (60, "b", None)]


async def test_an_older_part_does_not_change_what_is_held_now(recorder: HistoryRecorder, store: Store) -> None:
    held = price_entry(prices(price("a", "10.00")), NOW + 60)
    recorder.observe(price_entry(prices(price("a", "10.00"))))
    await recorder.settle(10)
    recorder.observe_part(KEY, prices(price("a", "9.00")), NOW + 30, held)
    found = await rows(recorder, store)
    assert found == [(0, "a", "10.00"), (30, "a", "9.00"), (60, "a", "10.00")]


async def test_of_two_lists_of_one_millisecond_the_first_counts(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe(price_entry(prices(price("a", "10.00")), NOW + 0.0001))
    recorder.observe(price_entry(prices(price("a", "11.00")), NOW + 0.0002))
    assert await rows(recorder, store) == [(0, "a", "10.00")]


async def test_once_in_half_the_retention_a_shops_whole_list_is_recorded_again(
    recorder: HistoryRecorder, store: Store
) -> None:
    half_s = RETENTION_S / 2
    start = (NOW // half_s + 1) * half_s
    record = prices(price("a"), price("b"))
    for at in (start, start + 1, start + half_s - 1, start + half_s, start + half_s + 1):
        recorder.observe(price_entry(record, at))
    await recorder.settle(10)
    assert [row.at for row in await store.changes(KEY)] == [start, start, start + half_s, start + half_s]
    assert await store.drop_before(start + half_s) == 2
    assert set(replay(await store.changes(KEY))) == {("a", "1g", "rec"), ("b", "1g", "rec")}


async def test_what_is_past_its_retention_is_dropped_at_a_bounded_pace(
    recorder: HistoryRecorder, store: Store, clock: ManualClock
) -> None:
    recorder.observe(price_entry(prices(price("a"), price("b")), clock.now()))
    await recorder.settle(10)
    clock.advance(RETENTION_S + 1)  # a sweep is due as well
    recorder.observe(price_entry(prices(price("c")), clock.now()))
    await recorder.settle(10)
    await until(lambda: recorder.stats().expired_rows == 2)
    assert {offer_id(row)[0] for row in await store.changes(KEY)} <= {"a", "b", "c"}
    clock.set_now(clock.now() + RETENTION_S + 1)  # the time of facts alone: no sweep is due
    recorder.observe(price_entry(prices(price("d")), clock.now()))
    await recorder.settle(10)
    assert recorder.stats().expired_rows == 2
    clock.advance(SWEEP_S)
    recorder.observe(price_entry(prices(price("e")), clock.now()))
    await until(lambda: recorder.stats().expired_rows > 2)


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop run until a condition holds."""
    for _ in range(100_000):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


async def test_a_store_that_fails_is_tried_again_and_nothing_is_lost(recorder: HistoryRecorder, store: Store) -> None:
    store.is_down = True
    with structlog.testing.capture_logs() as logs:
        for n in range(3):
            recorder.observe(price_entry(prices(price("a", f"{n + 1}.00")), NOW + n))
            await recorder.settle(10)
    assert [event["event"] for event in logs] == ["price history cannot be written"]
    assert (recorder.stats().failures, recorder.stats().waiting) == (3, 3)
    store.is_down = False
    recorder.observe(price_entry(prices(price("a", "4.00")), NOW + 3))
    assert await rows(recorder, store) == [(0, "a", "1.00"), (1, "a", "2.00"), (2, "a", "3.00"), (3, "a", "4.00")]
    assert (recorder.stats().lost, recorder.stats().waiting) == (0, 0)


async def test_what_cannot_be_recorded_at_the_end_is_counted_as_lost(recorder: HistoryRecorder, store: Store) -> None:
    store.is_down = True
    recorder.observe(price_entry(prices(price("a"))))
    with structlog.testing.capture_logs() as logs:
        await recorder.close()
    assert logs[-1]["event"] == "price history not recorded"
    assert (recorder.stats().lost, recorder.stats().waiting) == (1, 0)
    recorder.observe(price_entry(prices(price("a"))))
    assert recorder.stats().lost == 2


async def test_closing_records_what_waits(store: Store, clock: ManualClock) -> None:
    recorder = HistoryRecorder(store, clock=clock, retention_s=RETENTION_S)
    recorder.start()
    for shop in range(50):
        recorder.observe(price_entry(prices(price("a"), shop=str(shop))))
    await recorder.close()
    assert (len(store), recorder.stats().lost) == (50, 0)
    assert max(store.appends) <= recorder_module.BATCH


async def test_more_than_may_wait_is_lost_and_counted_the_oldest_first(
    recorder: HistoryRecorder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_WAITING >= 1000
    monkeypatch.setattr(recorder_module, "MAX_WAITING", 3)
    for n in range(5):
        recorder.observe(price_entry(prices(price("a", f"{n + 1}.00")), NOW + n))
    assert [at for at, _, _ in await rows(recorder, store)] == [2, 3, 4]
    assert recorder.stats().lost == 2


async def test_a_damaged_list_costs_itself_alone(recorder: HistoryRecorder, store: Store) -> None:
    whole = price_entry(prices(price("a")))
    damaged = Entry(
        whole.key, b"\x00rubbish", fetched_at=NOW + 1, expires_at=NOW + 2, digest=b"x" * 20, origins=("weedmaps",)
    )
    recorder.observe(whole)
    recorder.observe(damaged)
    recorder.observe(price_entry(prices(price("a", "36.00")), NOW + 2))
    assert await rows(recorder, store) == [(0, "a", "35.00"), (2, "a", "36.00")]
    assert recorder.stats().skipped == 1


async def test_a_list_of_absurdly_many_offers_is_skipped(recorder: HistoryRecorder, store: Store) -> None:
    recorder.observe(price_entry(prices(*(price(str(n)) for n in range(MAX_OFFERS + 1)))))
    assert await rows(recorder, store) == []
    assert recorder.stats().skipped == 1


async def test_a_shop_with_more_history_than_is_read_is_skipped_where_its_state_is_not_known(
    recorder: HistoryRecorder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MAX_CHANGES", 2)
    monkeypatch.setattr(recorder_module, "MAX_REPLAYED", 3)
    for n in range(8):
        recorder.observe(price_entry(prices(price("a", f"{n + 1}.00")), NOW + n))
    assert len(await rows(recorder, store)) == 8
    recorder.observe_part(KEY, prices(price("a", "99.00")), NOW + 20)
    await recorder.settle(10)
    assert recorder.stats().skipped == 1


async def test_a_long_history_is_read_in_pages(
    recorder: HistoryRecorder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = prices(*(price(str(n), "5.00") for n in range(30)))
    recorder.observe(price_entry(record))
    for n in range(1, 25):
        recorder.observe(price_entry(prices(*record.prices[:29], price("z", f"{n}.00")), NOW + n))
    await recorder.settle(10)
    monkeypatch.setattr(recorder_module, "MAX_CHANGES", 31)
    read = store.changes

    async def paged(*args: object, **kwargs: object) -> list[PriceChange]:
        return await read(*args, **{"limit": 31, **kwargs})

    monkeypatch.setattr(store, "changes", paged)
    recorder.observe_part(KEY, prices(price("z", "24.00"), price("q", "1.00")), NOW + 50)
    await recorder.settle(10)
    monkeypatch.undo()
    assert (await rows(recorder, store))[-1] == (50, "q", "1.00")
    assert recorder.stats().skipped == 0


async def test_one_moment_that_fills_a_page_is_read_once(
    recorder: HistoryRecorder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = prices(*(price(str(n), "5.00") for n in range(31)))
    recorder.observe(price_entry(record))
    await recorder.settle(10)
    monkeypatch.setattr(recorder_module, "MAX_CHANGES", 31)
    recorder.observe_part(KEY, prices(price("0", "6.00")), NOW + 50)
    assert (await rows(recorder, store))[31:] == [(50, "0", "6.00")]


async def test_memory_of_known_shops_is_bounded(
    recorder: HistoryRecorder, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MAX_KNOWN", 4)
    for shop in range(10):
        recorder.observe(price_entry(prices(price("a"), shop=str(shop))))
    await recorder.settle(10)
    assert len(recorder._known) == 4
    assert recorder._known_bytes == sum(len(k.body or b"") for k in recorder._known.values())
    recorder.observe(price_entry(prices(price("a", "36.00"), shop="0"), NOW + 1))  # forgotten, read again
    await recorder.settle(10)
    first = price_entry(prices(price("a"), shop="0")).key
    assert spelled(await store.changes(first)) == [(0, "a", "35.00"), (1, "a", "36.00")]
