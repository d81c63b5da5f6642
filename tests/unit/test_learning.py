"""What a load teaches, and the lifetimes that follow."""

from __future__ import annotations

import pytest

from sample_entries import raw_entry
from weedhounds.clock import ManualClock
from weedhounds.config import CacheSettings
from weedhounds.errors import ConfigError
from weedhounds.learning import MAX_KNOWN, Fetched, Learning, learning_of, offset_s
from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import OpenPeriod, Shop
from weedhounds.ttl.prior import stale_probability

KEY = RecordKey(DataType.PRODUCT_PRICING, "jane", "7")
HOUR = 3_600.0
DENVER = Shop(
    key="dispensary_info:jane:7",
    origin="jane",
    id="7",
    name="Shop",
    time_zone="America/Denver",
    hours=tuple(OpenPeriod(day, 9 * 60, 21 * 60) for day in range(7)),
)


def learning(clock: ManualClock, **settings: object) -> Learning:
    return learning_of(CacheSettings.model_validate(settings), clock=clock)


def fetch(learner: Learning, clock: ManualClock, digest: bytes, *, after_s: float = HOUR, requests: int = 4) -> float:
    clock.advance(after_s)
    for _ in range(requests):
        learner.asked([KEY])
    return learner.fetched(Fetched(KEY, digest, clock.now())).lifetime_s


def test_a_record_that_keeps_changing_is_kept_shorter_than_one_that_never_does(clock: ManualClock) -> None:
    free = {"least_lifetimes_s": {"product_pricing": 1.0}, "greatest_lifetimes_s": {"product_pricing": 1e9}}
    restless, quiet = (learning(clock, **free) for _ in range(2))
    for n in range(40):
        short = fetch(restless, clock, bytes([n]))
        long = fetch(quiet, clock, b"same", after_s=0.0)
    assert short < long / 4
    assert (restless.stats().compared, restless.stats().changed) == (39, 39)
    assert (quiet.stats().compared, quiet.stats().changed) == (39, 0)


def test_lifetimes_stay_within_the_limits_of_their_type_or_of_the_settings(clock: ManualClock) -> None:
    own = LIFETIMES[DataType.PRODUCT_PRICING]
    for low, high in ((own.min_s, own.max_s), (100.0, 200.0)):
        limits = {"least_lifetimes_s": {"product_pricing": low}, "greatest_lifetimes_s": {"product_pricing": high}}
        learner = learning(clock, **limits)
        assert all(low <= fetch(learner, clock, bytes([n % 2])) <= high for n in range(20))


def test_what_was_held_before_the_first_fetch_is_compared_with_it(clock: ManualClock) -> None:
    learner = learning(clock)
    held = raw_entry("7", b"x")
    learner.fetched(Fetched(held.key, held.digest, held.fetched_at + HOUR, held))
    learner.fetched(Fetched(held.key, b"other", held.fetched_at + 2 * HOUR, held))
    assert (learner.stats().compared, learner.stats().changed) == (2, 1)


def test_a_clock_that_jumped_back_compares_nothing(clock: ManualClock) -> None:
    learner = learning(clock)
    learner.fetched(Fetched(KEY, b"a", clock.now()))
    learner.fetched(Fetched(KEY, b"b", clock.now() - HOUR))
    assert learner.stats().compared == 0


def test_requests_past_the_read_path_and_of_departed_keys_count_too(clock: ManualClock) -> None:
    served = {KEY: 5}
    learner = learning_of(CacheSettings(), clock=clock, served=lambda key: served.pop(key, 0))
    learner.fetched(Fetched(KEY, b"a", clock.now()))
    served[KEY] = 500
    learner.departed(KEY, 300)
    learner.asked([KEY] * 200)
    clock.advance(HOUR)
    learner.fetched(Fetched(KEY, b"a", clock.now()))
    believed = learner.lifetimes.learner.insight(str(KEY), clock.now())
    assert believed is not None
    assert learner.lifetimes.learner.keys[str(KEY)].requests == pytest.approx(1000, rel=0.01)


def test_a_failure_is_not_taken_for_a_look_that_found_nothing_new(clock: ManualClock) -> None:
    learner = learning(clock)
    fetch(learner, clock, b"a")
    looks = learner.lifetimes.learner.keys[str(KEY)].looks
    learner.failed([KEY])
    assert learner.lifetimes.learner.keys[str(KEY)].looks == looks
    assert learner.stats().decisions == 1


def test_each_type_has_the_strategy_that_the_settings_name(clock: ManualClock) -> None:
    learner = learning(clock, strategies={"product_pricing": "fixed"}, lifetimes_s={"product_pricing": 300.0})
    assert [fetch(learner, clock, bytes([n])) for n in range(5)] == [300.0] * 5


def test_the_business_hours_strategy_uses_the_shop_s_own_zone(clock: ManualClock) -> None:
    learner = learning(clock, strategies={"dispensary_menu": "business_hours"})
    menu = RecordKey(DataType.DISPENSARY_MENU, "jane", "7")
    noon, night = 1_736_190_000.0, 1_736_233_200.0  # 6 January 2025, 12:00 and 24:00 in Denver
    lifetimes = [learner.fetched(Fetched(menu, b"a", at), DENVER).lifetime_s for at in (noon, night)]
    assert lifetimes == [HOUR, 3 * HOUR]


def test_the_stale_probability_of_a_fetch_of_its_own_is_learnt_and_of_others_the_prior(clock: ManualClock) -> None:
    learner = learning(clock)
    for n in range(30):
        fetch(learner, clock, bytes([n]))
    now = clock.now() + 600.0
    own = raw_entry("7", b"x", key=KEY, fetched_at=clock.now(), expires_at=clock.now() + 600.0)
    prior = stale_probability(KEY.data_type, 600.0)
    assert learner.stale_probability(own, now) > 5 * prior
    other = raw_entry("7", b"x", key=KEY, fetched_at=clock.now() - 30.0, expires_at=clock.now() + 600.0)
    imported = raw_entry("7", b"x", key=KEY, fetched_at=clock.now(), expires_at=now, pinned_at=clock.now())
    assert learner.stale_probability(other, now) == stale_probability(KEY.data_type, 630.0)
    assert learner.stale_probability(imported, now) == prior


def test_the_price_of_a_call_rises_where_the_budget_is_short_and_never_falls_below_the_setting(
    clock: ManualClock,
) -> None:
    learner = learning_of(CacheSettings(call_price=2.0), clock=clock, budgets={"jane": 10.0, "leafly": 1e6})
    for _ in range(50):
        learner.called("jane")
        learner.called("leafly")
    prices = learner.stats().call_prices
    assert prices["jane"] > 10.0
    assert prices["leafly"] == pytest.approx(2.0, rel=1e-3)
    clock.advance(30 * 86_400.0)
    assert learner.stats().call_prices["jane"] == 2.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strategies": {"menu": "fixed"}}, "unknown data type 'menu'"),
        ({"strategies": {"dispensary_menu": "magic"}}, "unknown strategy 'magic'"),
        ({"least_lifetimes_s": {"dispensary_menu": 1e6}}, "above the greatest"),
        ({"greatest_lifetimes_s": {"dispensary_menu": 60.0}}, "above the greatest"),
        ({"greatest_lifetimes_s": {"nothing": 1.0}}, "unknown data type 'nothing'"),
        ({"lifetimes_s": {"dispensary_menu": 0.0}}, "no positive number"),
    ],
)
def test_settings_that_cannot_be_are_refused(clock: ManualClock, settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        learning(clock, **settings)


@pytest.mark.parametrize("zone", [None, "", "Nowhere/City", "../../etc/passwd", "\0"])
def test_an_unknown_zone_counts_as_utc(zone: str | None) -> None:
    assert offset_s(zone, 1_736_190_000.0) == 0.0


def test_offsets_follow_daylight_saving(clock: ManualClock) -> None:
    assert (offset_s("America/Denver", 1_736_190_000.0), offset_s("America/Denver", 1_751_000_000.0)) == (
        -7 * HOUR,
        -6 * HOUR,
    )


def test_the_keys_fetched_longest_ago_are_forgotten_first(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weedhounds.learning.MAX_KNOWN", 3)
    assert MAX_KNOWN > 3
    learner = learning(clock)
    keys = [RecordKey(DataType.PRODUCT_PRICING, "jane", str(n)) for n in range(4)]
    for key in (*keys[:3], keys[0], keys[3]):
        clock.advance(1.0)
        learner.fetched(Fetched(key, b"a", clock.now()))
    assert list(learner._known) == [keys[2], keys[0], keys[3]]
