"""Streams of changes: rates, rhythms, bursts and regimes are those of the standard world."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from statistics import fmean

import pytest

from weedhounds.sandbox import Market, rhythm
from weedhounds.sandbox.changes import DailyStream, Event, RateStream
from weedhounds.sandbox.rhythm import DAY_S, zone_of

START = 1_767_600_000.0
WEEKS = 12
DAYS = WEEKS * 7
END = START + DAYS * DAY_S
DENVER = zone_of("America/Denver")


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(11)


def local(event: Event) -> datetime:
    return datetime.fromtimestamp(event.t, DENVER)


def streams(rate: float, **options: object) -> Iterator[list[Event]]:
    """Yield the events of 200 keys without a spread of rates, over the weeks."""
    first = rhythm.local_week(START, DENVER)
    for key in range(200):
        stream = RateStream(3, ("test", key), DENVER, rate, profile=rhythm.MENU, sigma=0, **options)  # type: ignore[arg-type]
        yield [event for week in range(first, first + WEEKS) for event in stream.block(week)]


def test_the_mean_rate_is_the_stated_one_times_the_regimes_share() -> None:
    """One period in ten has a factor of 2.6 on average from halfway on: 8 % more in all."""
    n = sum(len(events) for events in streams(2.0))
    assert n / (200 * DAYS * 2.0) == pytest.approx(1.08, abs=0.05)


def test_changes_fall_on_weekdays_and_hours_as_the_profile_says() -> None:
    moments = [local(e) for events in streams(4.0) for e in events]
    per_day = [sum(m.weekday() == d for m in moments) for d in range(7)]
    weekday = fmean(per_day[:5])
    assert per_day[5] / weekday == pytest.approx(1.2, abs=0.1)
    assert per_day[6] / weekday == pytest.approx(0.7, abs=0.1)
    assert sum(9 <= m.hour < 21 for m in moments) / len(moments) == pytest.approx(0.85, abs=0.02)
    assert sum(m.hour < 5 for m in moments) / len(moments) < 0.06


def test_a_burst_follows_six_changes_in_a_hundred_with_five_changes_four_minutes_apart() -> None:
    alone = sum(len(events) for events in streams(0.5))
    gaps = [b.t - a.t for events in streams(0.5, burst_frac=1.0) for a, b in itertools.pairwise(events)]
    with_bursts = len(gaps) + 200
    assert with_bursts / alone == pytest.approx(6.0, rel=0.1)
    assert fmean(g for g in gaps if g < 3600) == pytest.approx(240, rel=0.1)


def test_the_menu_stream_of_a_shop_has_bursts_and_the_lognormal_rate_of_its_key(market: Market) -> None:
    expected = changes = 0.0
    for shop in market.shops[::6]:
        stream = market.stream("menu", shop.index)
        assert isinstance(stream, RateStream)
        expected += stream.rate_per_day * DAYS * 1.08 * (1 + 0.06 * 5)
        changes += sum(1 for _ in market.events("menu", shop.index, START, END))
    assert changes / expected == pytest.approx(1.0, abs=0.15)


def test_the_rates_of_keys_are_lognormal_with_the_mean_of_the_standard_world() -> None:
    rates = [RateStream(5, ("menu", key), DENVER, 14.0, profile=rhythm.MENU).rate_per_day for key in range(4000)]
    assert fmean(rates) == pytest.approx(14.0, rel=0.08)
    assert sorted(rates)[2000] == pytest.approx(14.0 * 0.6065, rel=0.08)


def test_pricing_keys_change_with_rounds_and_reprices_of_two_products_in_five(market: Market) -> None:
    reprices = rounds = 0
    shops = [s for s in market.shops if s.menu_size >= 60]
    for shop in shops:
        for event in market.events("price", shop.index, START, END):
            share = len(event.hits) / shop.menu_size
            if len(event.hits) > 8:
                reprices += 1
                assert share == pytest.approx(0.4, abs=0.02)
            else:
                rounds += 1
                assert len(event.hits) >= 3
    assert reprices / (len(shops) * DAYS) == pytest.approx(0.15 * 1.08, rel=0.15)
    assert rounds / (len(shops) * DAYS) == pytest.approx(0.6 * 1.08, rel=0.3)


@pytest.mark.parametrize(
    ("kind", "per_day"), [("info", 1 / 45), ("strain", 1 / 200), ("terpenes", 1 / 120), ("lab", 1 / 365)]
)
def test_what_changes_seldom_has_the_rate_of_its_keys(market: Market, kind: str, per_day: float) -> None:
    keys: dict[str, list[str | int]] = {
        "info": [s.index for s in market.shops[::4]],
        "lab": [r.number for r in market.registry[::5]],
        "strain": list(market.strains),
        "terpenes": list(market.strains),
    }
    days = 3 * 365
    expected, n = 0.0, 0
    for of in keys[kind]:
        stream = market.stream(kind, of)
        assert isinstance(stream, RateStream)
        expected += stream.rate_per_day * days * 1.08
        n += sum(1 for _ in market.events(kind, of, START, START + days * DAY_S))
    assert n == pytest.approx(expected, abs=5 * expected**0.5)
    assert expected / days / 1.08 / len(keys[kind]) == pytest.approx(per_day, rel=0.5)


def test_a_regime_multiplies_a_tenth_of_the_periods_from_thirty_to_seventy_percent_on() -> None:
    stream = RateStream(3, ("regime",), DENVER, 1.0, profile=rhythm.FLAT)
    shifts = [stream.regime(period) for period in range(2000)]
    shifted = [(day, factor) for day, factor in shifts if factor != 1.0]
    assert len(shifted) / 2000 == pytest.approx(0.1, abs=0.025)
    assert {factor for _, factor in shifted} == {0.2, 5.0}
    assert {day for day, _ in shifted} == set(range(8, 20))


def test_the_rate_is_multiplied_from_the_day_of_the_shift_to_the_end_of_the_period() -> None:
    before = after = 0.0
    for key in range(400):
        stream = RateStream(3, ("shift", key), DENVER, 3.0, profile=rhythm.FLAT, sigma=0)
        day, factor = stream.regime(26_400)
        if factor != 5.0:
            continue
        starts = rhythm.unix_of(rhythm.week_start_date(105_600), day * DAY_S, DENVER)
        times = [e.t for week in range(105_600, 105_604) for e in stream.block(week)]
        before += sum(t < starts for t in times) / day
        after += sum(t >= starts for t in times) / (28 - day)
    assert after / before == pytest.approx(5.0, rel=0.2)


def test_promotions_change_on_schedule_within_six_minutes_and_half_a_time_a_day_at_random() -> None:
    on_time = n = 0
    schedules = set()
    for key in range(100):
        stream = DailyStream(3, ("promo", key), DENVER)
        schedules.add(stream.second)
        for week in range(105_700, 105_704):
            for event in stream.block(week):
                moment = local(event)
                n += 1
                second = moment.hour * 3600 + moment.minute * 60 + moment.second
                on_time += stream.second <= second < stream.second + 360
    days = 100 * 28
    assert schedules == {h * 3600 + m for h in (0, 8, 9, 10) for m in (0, 1800)}
    assert on_time / days == pytest.approx(0.85, abs=0.04)
    assert n / days == pytest.approx(1.35, abs=0.06)


def test_a_block_is_the_same_whichever_blocks_were_made_before() -> None:
    stream = RateStream(3, ("alone",), DENVER, 9.0, profile=rhythm.MENU)
    before = stream.block(105_700)
    stream.block(105_699)
    assert stream.block(105_700) == before
    assert before != RateStream(4, ("alone",), DENVER, 9.0, profile=rhythm.MENU).block(105_700)


def test_events_are_in_time_order_within_their_own_week() -> None:
    stream = RateStream(3, ("order",), DENVER, 30.0, profile=rhythm.MENU, burst_frac=0.5)
    events = stream.block(105_700)
    assert [e.t for e in events] == sorted(e.t for e in events)
    assert {rhythm.local_week(e.t, DENVER) for e in events} == {105_700}
    assert len({e.id for e in events}) == len(events)
