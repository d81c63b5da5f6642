"""The learner: what it finds out, what it decides, and that nothing hostile breaks it."""

from __future__ import annotations

import math
import random
import tracemalloc

import msgspec
import pytest

from driven import DAY, HOUR, MONDAY, Obs, drive
from weedhounds.ttl.belief import KeyBelief
from weedhounds.ttl.learner import LONGEST_S, MAX_PLANS, Learner
from weedhounds.ttl.optimum import changes_at_expiry


def _poisson(rng: random.Random, per_day: float, days: float) -> list[float]:
    out, at = [], MONDAY
    while at < MONDAY + days * DAY:
        at += rng.expovariate(per_day / DAY)
        out.append(at)
    return out


def test_the_rate_of_changes_is_found_within_a_quarter() -> None:
    rng = random.Random(5)
    learner = Learner(1.0)
    drive(learner, _poisson(rng, 30.0, 21), _poisson(rng, 200.0, 21), Obs())
    insight = learner.insight("menu:1", MONDAY + 21 * DAY)
    assert insight is not None
    assert insight.changes_per_day == pytest.approx(30.0, rel=0.25)
    assert insight.requests_per_day == pytest.approx(200.0, rel=0.15)


def test_lifetimes_of_constant_rates_come_near_the_closed_form() -> None:
    rng = random.Random(6)
    learner = Learner(1.0)
    out = drive(learner, _poisson(rng, 30.0, 28), _poisson(rng, 200.0, 28), Obs())
    best = changes_at_expiry(200.0 / 30.0, 1.0) / 30.0 * DAY
    late = out.lifetimes[len(out.lifetimes) // 2 :]
    assert sum(late) / len(late) == pytest.approx(best, rel=0.25)


def test_a_dearer_call_means_fewer_calls_and_more_stale_serves() -> None:
    rng = random.Random(7)
    changes, requests = _poisson(rng, 14.0, 14), _poisson(rng, 150.0, 14)
    cheap, dear = (drive(Learner(price), changes, requests, Obs()) for price in (0.25, 4.0))
    assert len(dear.calls) < 0.5 * len(cheap.calls)
    assert dear.stale > cheap.stale


def _nightly(days: int) -> list[float]:
    """Return a job's runs: each day at 3 h and up to ten minutes."""
    return [MONDAY + d * DAY + 3 * HOUR + (137 * d) % 600 for d in range(days)]


def test_a_nightly_job_is_waited_for() -> None:
    learner = Learner(4.0)
    like = Obs(key="stats:1", dtype="analytics_data")
    requests = [MONDAY + i * 900.0 for i in range(21 * 96)]
    out = drive(learner, _nightly(21), requests, like)
    late = [(c, t) for c, t in zip(out.calls, out.lifetimes, strict=True) if c > MONDAY + 14 * DAY]
    assert len(late) == 7
    assert all(180 <= ((c + t - MONDAY) % DAY) / 60 <= 225 for c, t in late)
    assert out.stale < 200
    insight = learner.insight("stats:1", MONDAY + 21 * DAY)
    assert insight is not None
    assert insight.scheduled_at_min == 180
    assert insight.schedule_probability > 0.9


def test_hours_at_which_nothing_changes_are_learnt() -> None:
    rng = random.Random(8)
    changes = [t for t in _poisson(rng, 60.0, 21) if 9 <= ((t - MONDAY) % DAY) / HOUR < 21]
    learner = Learner(0.5)
    drive(learner, changes, _poisson(rng, 300.0, 21), Obs())
    hours = learner.types["dispensary_menu"].week.hours
    assert sum(hours[4:14]) / 10 < 0.3
    assert sum(hours[22:40]) / 18 > 1.4


def test_a_rate_that_changes_is_followed() -> None:
    rng = random.Random(9)
    first, then = _poisson(rng, 4.0, 14), _poisson(rng, 40.0, 28)
    changes = [t for t in first if t < MONDAY + 14 * DAY] + [t for t in then if t >= MONDAY + 14 * DAY]
    learner = Learner(1.0)
    drive(learner, changes, _poisson(rng, 200.0, 28), Obs())
    insight = learner.insight("menu:1", MONDAY + 28 * DAY)
    assert insight is not None
    assert insight.changes_per_day == pytest.approx(40.0, rel=0.35)


def test_new_keys_start_from_what_their_type_has_taught() -> None:
    rng = random.Random(10)
    taught = Learner(1.0)
    for i in range(12):
        drive(taught, _poisson(rng, 100.0, 5), _poisson(rng, 100.0, 5), Obs(key=f"menu:{i}"))
    now = MONDAY + 5 * DAY
    fresh = Obs(key="menu:new", now=now)
    assert taught(fresh) < 0.7 * Learner(1.0)(fresh)


def test_a_failed_call_is_not_taken_for_quiet() -> None:
    learner = Learner(1.0)
    learner(Obs(now=MONDAY))
    before = list(learner.keys["menu:1"].like)
    wait = learner(Obs(now=MONDAY + HOUR, prev=MONDAY, ok=False, changed=None))
    assert 0.0 < wait <= DAY
    assert list(learner.keys["menu:1"].like) == before
    assert learner.keys["menu:1"].looks == 0


def test_the_longer_a_failure_lasts_the_longer_is_the_wait() -> None:
    learner = Learner(1.0)
    learner(Obs(now=MONDAY))
    waits = [
        learner(Obs(now=MONDAY + h * HOUR, prev=MONDAY, ok=False, changed=None, n_req=8)) for h in (1, 2, 4, 8, 16)
    ]
    assert waits[-1] > waits[0]
    assert max(waits) <= DAY


def test_staleness_grows_from_zero_and_asking_changes_nothing() -> None:
    learner = Learner(1.0)
    learner(Obs(now=MONDAY))
    told = [learner.stale_probability("menu:1", MONDAY + h * HOUR) for h in range(60)]
    assert told[0] == 0.0
    assert told == sorted(told)
    assert told[-1] > 0.8
    assert told == [learner.stale_probability("menu:1", MONDAY + h * HOUR) for h in range(60)]
    assert learner.stale_probability("menu:unseen", MONDAY) == 1.0


def test_told_probabilities_come_true_on_a_process_with_hours() -> None:
    rng = random.Random(11)
    changes = [t for t in _poisson(rng, 40.0, 28) if 8 <= ((t - MONDAY) % DAY) / HOUR < 22]
    learner, told, came = Learner(2.0), 0.0, 0
    asked = 0

    def policy(obs: Obs) -> float:
        nonlocal told, came, asked
        if obs.changed is not None and obs.now > MONDAY + 7 * DAY:
            told += learner.stale_probability(obs.key, obs.now)
            came += obs.changed
            asked += 1
        return learner(obs)

    drive(policy, changes, _poisson(rng, 250.0, 28), Obs())
    assert asked > 300
    assert told / asked == pytest.approx(came / asked, abs=0.04)


def test_a_clock_that_jumps_teaches_nothing_and_breaks_nothing() -> None:
    learner = Learner(1.0)
    learner(Obs(now=MONDAY))
    before = list(learner.keys["menu:1"].like)
    for now, prev in ((MONDAY - 5 * DAY, MONDAY), (MONDAY + 3_000 * DAY, MONDAY - 5 * DAY)):
        assert 0.0 <= learner(Obs(now=now, prev=prev, changed=False)) <= LONGEST_S
    assert list(learner.keys["menu:1"].like) == before
    assert learner.stale_probability("menu:1", MONDAY) == 0.0
    assert 0.0 < learner(Obs(now=MONDAY + HOUR, prev=None)) <= LONGEST_S


@pytest.mark.parametrize(
    "given",
    [
        {"tz": math.nan},
        {"tz": 1e12},
        {"weight": 0.0},
        {"weight": -1.0},
        {"weight": math.inf},
        {"weight": math.nan},
        {"n_req": -3},
        {"n_req": 0},
        {"n_req": 10**12},
        {"now": math.nan},
        {"now": math.inf},
        {"dtype": "no such type"},
        {"source": ""},
    ],
    ids=str,
)
def test_odd_observations_get_a_lifetime(given: dict[str, object]) -> None:
    learner = Learner(1.0)
    learner(Obs(now=MONDAY))
    obs = msgspec.structs.replace(Obs(now=MONDAY + HOUR, prev=MONDAY, changed=True), **given)
    assert 0.0 <= learner(obs) <= LONGEST_S
    assert 0.0 <= learner(Obs(now=MONDAY + 2 * HOUR, prev=MONDAY + HOUR, changed=False)) <= LONGEST_S


@pytest.mark.parametrize("price", [0.0, -1.0, 1e-9, 1e9, math.inf, math.nan])
def test_any_price_gives_a_lifetime(price: float) -> None:
    assert 0.0 <= Learner(price)(Obs()) <= LONGEST_S


def test_a_free_call_is_made_at_every_request() -> None:
    assert Learner(0.0)(Obs()) == 0.0


def test_a_key_that_never_changes_is_kept_ever_longer() -> None:
    learner = Learner(1.0)
    requests = [MONDAY + i * HOUR for i in range(24 * 200)]
    out = drive(learner, [], requests, Obs())
    assert out.stale == 0
    assert out.lifetimes[-1] > 10 * out.lifetimes[0]
    assert math.isfinite(out.lifetimes[-1])


@pytest.mark.parametrize(("price", "most_calls"), [(0.25, 1_440), (4.0, 40)])
def test_a_key_that_changes_every_second_is_chased_only_where_that_is_cheap(price: float, most_calls: int) -> None:
    learner = Learner(price)
    changes = [MONDAY + i for i in range(int(DAY))]
    out = drive(learner, changes, [MONDAY + 60.0 * i for i in range(1_440)], Obs())
    assert all(math.isfinite(t) and t >= 0.0 for t in out.lifetimes)
    assert len(out.calls) <= most_calls
    insight = learner.insight("menu:1", MONDAY + DAY)
    assert insight is not None
    assert insight.changes_per_day > 40.0


def test_a_key_without_demand_is_decided_on() -> None:
    learner = Learner(1.0)
    for i in range(5):
        now = MONDAY + i * 300 * DAY
        prev = now - 300 * DAY if i else None
        assert 0.0 < learner(Obs(now=now, prev=prev, changed=False if i else None)) <= LONGEST_S
    assert learner.keys["menu:1"].request_rate > 0.0


def test_the_tables_are_bounded_and_so_is_what_a_key_takes() -> None:
    learner = Learner(1.0, max_keys=200)
    for i in range(260):
        learner(Obs(key=f"product_pricing:weedmaps:{i}", dtype="product_pricing", now=MONDAY + i))
    assert len(learner.keys) == len(learner._plans) == 200 < MAX_PLANS
    tracemalloc.start()
    held = [KeyBelief("product_pricing", "weedmaps", 0.0) for _ in range(1_000)]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / len(held) < 600


def test_names_of_types_without_end_do_not_fill_the_memory() -> None:
    learner = Learner(1.0)
    for i in range(200):
        learner(Obs(key=f"k{i}", dtype=f"type {i}"))
    assert len(learner.types) <= 33
    assert learner.stale_probability("k199", MONDAY + DAY) > 0.0
