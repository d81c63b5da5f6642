"""The learner's parts: optimum, week, rates, schedules, horizon."""

from __future__ import annotations

import math
import random
from array import array

import pytest

from driven import DAY, HOUR, MONDAY
from weedhounds.ttl.horizon import Outlook, plan
from weedhounds.ttl.optimum import changes_at_expiry
from weedhounds.ttl.rates import RatePrior, flat, same_probability
from weedhounds.ttl.schedule import Schedule
from weedhounds.ttl.week import SLOTS, WeekShape, pooled


class _Rates:
    change_rate = 24.0
    request_rate = 24.0


@pytest.mark.parametrize("ratio", [0.01, 0.5, 3.0, 40.0, 5_000.0])
@pytest.mark.parametrize("price", [0.01, 0.25, 0.9, 1.0])
def test_the_optimum_solves_its_equation(ratio: float, price: float) -> None:
    x = changes_at_expiry(ratio, price)
    left = -math.expm1(-x) + ratio * (1.0 - (1.0 + x) * math.exp(-x))
    assert left == pytest.approx(price, rel=5e-3)


def test_refetching_never_pays_above_the_bound() -> None:
    assert math.isinf(changes_at_expiry(3.0, 4.0))
    assert math.isfinite(changes_at_expiry(3.0, 3.9))


def test_a_week_has_as_many_days_on_its_clock_as_on_the_wall() -> None:
    week = WeekShape()
    week.hours = [0.1 if h < 16 else 2.0 for h in range(48)]
    week.fill()
    assert week.clock(MONDAY + 7 * DAY) - week.clock(MONDAY) == pytest.approx(7.0)
    assert week.clock(MONDAY + 8 * HOUR) - week.clock(MONDAY) < 0.1
    assert week.clocks([MONDAY, MONDAY + 5 * HOUR]) == [week.clock(MONDAY), week.clock(MONDAY + 5 * HOUR)]


def _learnt(counts: bool, step_h: float, seed: int) -> WeekShape:
    """Return a week learnt from intervals of ``step_h`` whose events come from 10 to 18 h alone."""
    rng = random.Random(seed)
    week = WeekShape(counts=counts)
    events = sorted(MONDAY + d * DAY + rng.uniform(10, 18) * HOUR for d in range(28) for _ in range(24))
    at, i = MONDAY, 0
    while at < MONDAY + 28 * DAY:
        until = at + step_h * HOUR * rng.uniform(0.5, 1.5)
        n = 0
        while i < len(events) and events[i] <= until:
            n, i = n + 1, i + 1
        week.see(at, until, float(n if counts else n > 0), _Rates())
        at = until
    for _ in range(4):
        week.learn()
    return week


@pytest.mark.parametrize(("counts", "step_h"), [(False, 0.3), (False, 2.0), (True, 0.3), (True, 5.0)])
def test_the_hours_are_learnt_from_intervals_of_any_length(counts: bool, step_h: float) -> None:
    hours = _learnt(counts, step_h, 3).hours
    inside, outside = sum(hours[20:36]) / 16, sum(hours[:16]) / 16
    assert inside > 4 * outside


def test_intervals_of_many_days_tell_nothing_of_hours() -> None:
    week = WeekShape()
    week.see(MONDAY, MONDAY + 5 * DAY, 1.0, _Rates())
    week.see(MONDAY, MONDAY, 1.0, _Rates())
    week.see(MONDAY, MONDAY - HOUR, 1.0, _Rates())
    assert not week.ring


def test_old_intervals_are_settled_not_lost() -> None:
    week = WeekShape(counts=True)
    for i in range(5_000):
        week.see(MONDAY + i * HOUR, MONDAY + (i + 1) * HOUR, 1.0, _Rates())
    events, exposure = week.summed()
    assert len(week.ring) <= 2_000
    assert sum(events) == pytest.approx(5_000, rel=1e-6)
    assert sum(exposure) == pytest.approx(5_000, rel=1e-6)
    assert len(events) == SLOTS


def test_types_without_events_lend_the_generic_shape() -> None:
    generic = [2.0, 1.0, 0.0]
    assert pooled([([0.0] * 3, [0.0] * 3)], generic, 2.0) == pytest.approx([2.0, 1.0, 0.0])
    much = pooled([([900.0, 0.0, 0.0], [300.0, 300.0, 300.0])], generic, 2.0)
    assert much[0] > 2.8


def test_an_unchanged_look_lowers_the_rate_and_a_changed_one_raises_it() -> None:
    prior = RatePrior(1.0)
    start = prior.posterior_mean(flat())
    same = prior.look(flat(), 1.0, changed=False, other=1.0, days=1.0)
    differs = prior.look(flat(), 1.0, changed=True, other=1.0, days=1.0)
    assert prior.posterior_mean(same) < start < prior.posterior_mean(differs)


def test_a_change_that_something_else_explains_teaches_little() -> None:
    prior = RatePrior(1.0)
    start = prior.posterior_mean(flat())
    explained = prior.posterior_mean(prior.look(flat(), 1.0, changed=True, other=0.01, days=1.0))
    plain = prior.posterior_mean(prior.look(flat(), 1.0, changed=True, other=1.0, days=1.0))
    assert explained - start < 0.1 * (plain - start)


def test_looks_a_thousand_times_do_not_run_out_of_numbers() -> None:
    prior = RatePrior(1.0)
    like = flat()
    for i in range(3_000):
        like = prior.look(like, 30.0, changed=i % 1_000 < 500, other=1.0, days=30.0)
    assert all(math.isfinite(v) for v in like)
    mixture = prior.mixture(like)
    assert sum(w for w, _ in mixture) == pytest.approx(1.0)
    assert 0.0 <= same_probability(mixture, 1.0) <= 1.0


def test_the_spread_of_a_types_keys_is_learnt() -> None:
    narrow, wide = RatePrior(1.0), RatePrior(1.0)
    alike: list[array[float]] = []
    apart: list[array[float]] = []
    for i in range(40):
        for rate, likes in ((1.0, alike), (math.exp(2.0 * (i % 2) * 2 - 2.0), apart)):
            like = flat()
            rng = random.Random(i)
            for _ in range(60):
                like = narrow.look(like, 1.0 / rate, changed=rng.random() < 1 - math.exp(-1), other=1.0, days=0.1)
            likes.append(like)
    for _ in range(20):
        narrow.learn(alike)
        wide.learn(apart)
    assert narrow.spread < 0.6 < 1.5 < wide.spread


def _seen_schedule(minute: int, days: int) -> Schedule:
    """Return what is learnt of an event at ``minute`` of each day, looked for every 50 minutes."""
    schedule = Schedule(0.5)
    at, step = MONDAY, 50 * 60.0
    while at < MONDAY + days * DAY:
        event = math.floor((at - MONDAY) / DAY) * DAY + MONDAY + minute * 60.0 + 60.0
        hit = at < event <= at + step or at < event + DAY <= at + step
        schedule.look(at, at + step, changed=hit, background=0.02)
        schedule.settle()
        at += step
    return schedule


@pytest.mark.parametrize("minute", [0, 180, 510, 1_200])
def test_the_minute_of_a_schedule_is_found(minute: int) -> None:
    schedule = _seen_schedule(minute, 10)
    assert schedule.probability > 0.95
    day = 20 * DAY + MONDAY
    around = schedule.hazard(day + (minute - 10) * 60, day + (minute + 20) * 60)
    whole = schedule.hazard(day - 6 * HOUR, day + 18 * HOUR)
    assert around > 0.7 * whole > 0.8


def test_no_schedule_is_found_where_changes_come_at_random() -> None:
    rng = random.Random(4)
    schedule = Schedule(0.3)
    at = MONDAY
    while at < MONDAY + 21 * DAY:
        until = at + rng.uniform(0.5, 2.0) * HOUR
        schedule.look(at, until, changed=rng.random() < 0.06, background=0.06)
        schedule.settle()
        at = until
    assert schedule.probability < 0.3


def test_an_event_just_seen_is_not_waited_for_again_today() -> None:
    schedule = _seen_schedule(180, 10)
    at = MONDAY + 20 * DAY + 181 * 60
    before = schedule.hazard(at, at + 600)
    schedule.spent(at, 1.0)
    assert schedule.hazard(at, at + 600) < 0.1 * before
    assert schedule.hazard(at, at + DAY + HOUR) > 0.5


def test_the_plan_of_constant_rates_is_the_closed_form() -> None:
    for changes, requests, price in ((14.0, 160.0, 1.0), (14.0, 160.0, 4.0), (0.6, 24.0, 1.0), (0.01, 5.0, 1.0)):
        made = plan(MONDAY, Outlook(changes, requests, price, WeekShape(), WeekShape()))
        expected = -math.expm1(-changes_at_expiry(requests / changes, price))
        middle = made.threshold[: len(made.threshold) // 3]
        assert sum(middle) / len(middle) == pytest.approx(expected, rel=0.06)


def test_expiry_waits_for_a_scheduled_event() -> None:
    schedule = _seen_schedule(180, 10)
    evening = MONDAY + 20 * DAY + 20 * HOUR
    made = plan(evening, Outlook(0.05, 60.0, 1.0, WeekShape(), WeekShape(), schedule))
    expiry = (made.times[made.best[0]] - MONDAY) % DAY / 60
    assert 181 <= expiry <= 200


def test_expiry_waits_for_the_morning() -> None:
    week = WeekShape()
    week.hours = [0.001 if not 18 <= h < 42 else 2.0 for h in range(48)]
    week.fill()
    closed = plan(MONDAY + 22 * HOUR, Outlook(10.0, 100.0, 1.0, week, WeekShape()))
    opened = plan(MONDAY + 12 * HOUR, Outlook(10.0, 100.0, 1.0, week, WeekShape()))
    assert closed.times[closed.best[0]] - closed.times[0] > 10 * HOUR
    assert opened.times[opened.best[0]] - opened.times[0] < 3 * HOUR
