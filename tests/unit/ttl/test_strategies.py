"""The four rules, their bounds, the choice among them, and the price of a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from driven import DAY, HOUR, MONDAY, Obs
from weedhounds.errors import ConfigError
from weedhounds.model.datatypes import LIFETIMES, DataType, Lifetime
from weedhounds.model.records import OpenPeriod
from weedhounds.ttl import prior
from weedhounds.ttl.adaptive import Adaptive
from weedhounds.ttl.budget_price import LEAST, MOST, START, BudgetPrices
from weedhounds.ttl.business_hours import BusinessHours, seconds_to_opening
from weedhounds.ttl.decide import Lifetimes, StrategyName
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.replay import STRATEGIES, make
from weedhounds.ttl.strategy import MAX_KEYS, KeyTable, Seen
from weedhounds.ttl.volatility import Volatility

MENU = DataType.DISPENSARY_MENU
DENVER = "America/Denver"
DAILY = tuple(OpenPeriod(day, 9 * 60, 21 * 60) for day in range(7))


def _seen(**given: object) -> Seen:
    start: dict[str, object] = {
        "key": "dispensary_menu:weedmaps:1",
        "dtype": "dispensary_menu",
        "source": "weedmaps",
        "base_s": HOUR,
        "now": MONDAY,
    }
    return Seen(**(start | given))  # type: ignore[arg-type]


def _at(*wall: int, zone: str = DENVER) -> float:
    year, month, day, hour, minute = wall
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).timestamp()


def _look(i: int, *, changed: bool, **given: object) -> Seen:
    return _seen(now=MONDAY + i * HOUR, prev=MONDAY + (i - 1) * HOUR, changed=changed, n_req=4, **given)


def test_adaptive_doubles_and_halves_within_sixteen_times() -> None:
    adaptive = Adaptive()
    assert adaptive(_seen()) == HOUR
    assert adaptive(_look(1, changed=False)) == pytest.approx(2 * HOUR)
    assert adaptive(_look(2, changed=True)) == pytest.approx(HOUR)
    for i in range(3, 20):
        last = adaptive(_look(i, changed=False))
    assert last == pytest.approx(16 * HOUR)
    for i in range(20, 60):
        last = adaptive(_look(i, changed=True))
    assert last == pytest.approx(HOUR / 16)


def test_adaptive_keeps_what_is_asked_for_often_shorter() -> None:
    often, rarely = Adaptive(), Adaptive()
    a = often(_seen(now=MONDAY + HOUR, prev=MONDAY, changed=False, n_req=10_000))
    b = rarely(_seen(now=MONDAY + 50 * HOUR, prev=MONDAY, changed=False, n_req=1))
    assert a == pytest.approx(HOUR)
    assert b == pytest.approx(4 * HOUR)


def test_adaptive_weighs_in_the_age_where_the_origin_tells_it() -> None:
    young = Adaptive()(_seen(last_modified=MONDAY - HOUR))
    old = Adaptive()(_seen(last_modified=MONDAY - 500 * HOUR))
    assert young == pytest.approx(math.sqrt(0.2) * HOUR)
    assert old == pytest.approx(10 * HOUR)
    assert Adaptive()(_seen(last_modified=MONDAY + HOUR)) == HOUR


@pytest.mark.parametrize(
    ("wall", "lifetime_s"),
    [
        ((2026, 3, 6, 12, 0), HOUR),  # open
        ((2026, 3, 6, 7, 30), 1.5 * HOUR),  # closed, opens soon
        ((2026, 3, 6, 8, 55), 0.5 * HOUR),  # closed, opens at once
        ((2026, 3, 6, 21, 0), 3 * HOUR),  # just closed
        ((2026, 3, 6, 20, 59), HOUR),
    ],
)
def test_a_closed_shop_is_asked_when_it_opens(wall: tuple[int, ...], lifetime_s: float) -> None:
    seen = _seen(now=_at(*wall), time_zone=DENVER, hours=DAILY)
    assert BusinessHours()(seen) == lifetime_s


@pytest.mark.parametrize(
    ("wall", "wait_h"),
    [((2026, 3, 7, 23, 0), 9.0), ((2026, 10, 31, 23, 0), 11.0), ((2026, 6, 6, 23, 0), 10.0)],
    ids=["spring forward", "fall back", "summer"],
)
def test_nights_of_the_clock_change_have_their_length(wall: tuple[int, ...], wait_h: float) -> None:
    assert seconds_to_opening(_at(*wall), DENVER, DAILY) == wait_h * HOUR


def test_hours_past_midnight_belong_to_the_day_they_began() -> None:
    friday = (OpenPeriod(4, 20 * 60, 26 * 60),)
    assert seconds_to_opening(_at(2026, 3, 7, 1, 30), DENVER, friday) == 0.0
    assert seconds_to_opening(_at(2026, 3, 7, 2, 30), DENVER, friday) == pytest.approx(6.0 * DAY + 17.5 * HOUR - HOUR)


@pytest.mark.parametrize(
    "hours",
    [
        (),
        (OpenPeriod(0, 600, 600),),
        (OpenPeriod(0, 900, 600),),
        (OpenPeriod(9, 540, 1_260),),
        (OpenPeriod(0, -5, 600),),
        (OpenPeriod(0, 540, 90_000),),
    ],
    ids=["none", "no length", "ends before it starts", "no such weekday", "negative", "longer than a day"],
)
def test_without_usable_hours_the_base_lifetime_stands(hours: tuple[OpenPeriod, ...]) -> None:
    assert BusinessHours()(_seen(time_zone=DENVER, hours=hours)) == HOUR


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "a\x00b"])
def test_without_a_usable_zone_the_base_lifetime_stands(zone: str | None) -> None:
    assert BusinessHours()(_seen(time_zone=zone, hours=DAILY)) == HOUR


@pytest.mark.parametrize("now", [-1e18, 1e18, math.nan, math.inf])
def test_impossible_times_get_the_base_lifetime(now: float) -> None:
    assert BusinessHours()(_seen(now=now, time_zone=DENVER, hours=DAILY)) == HOUR


def test_contradictory_hours_count_as_open_in_each() -> None:
    hours = (OpenPeriod(0, 540, 720), OpenPeriod(0, 600, 1_260), OpenPeriod(0, 900, 100))
    assert seconds_to_opening(_at(2026, 3, 9, 13, 0), DENVER, hours) == 0.0


def test_volatility_follows_the_observed_rate_after_three_looks() -> None:
    busy, quiet = Volatility(), Volatility()
    for i in (1, 2):
        assert busy(_look(i, changed=True)) == quiet(_look(i, changed=False)) == HOUR
    assert busy(_look(3, changed=True)) == pytest.approx(1_088, abs=2)
    assert quiet(_look(3, changed=False)) == 8 * HOUR


def test_what_a_strategy_keeps_of_keys_is_bounded() -> None:
    table: KeyTable[int] = KeyTable()
    for i in range(MAX_KEYS + 10):
        table.of(str(i), int)
    assert len(table) == MAX_KEYS
    assert "0" not in table


@pytest.mark.parametrize("name", list(StrategyName))
@pytest.mark.parametrize("data_type", list(DataType))
def test_every_strategy_is_selectable_for_every_type_and_then_bounded(name: StrategyName, data_type: DataType) -> None:
    lifetimes = Lifetimes(strategies={data_type.value: name.value})
    decided = lifetimes.observe(_seen(dtype=data_type.value, key=f"{data_type.value}:weedmaps:1"))
    limits = LIFETIMES[data_type]
    assert lifetimes.strategy_of(data_type) is decided.strategy is name
    assert limits.min_s <= decided.lifetime_s <= limits.max_s
    assert decided.lifetime_s == min(limits.max_s, max(limits.min_s, decided.unbounded_s))
    assert 0.0 <= decided.stale_at_expiry <= 1.0


def test_the_learner_is_the_default() -> None:
    lifetimes = Lifetimes()
    assert {lifetimes.strategy_of(t) for t in DataType} == {StrategyName.HYBRID}


def test_the_learner_learns_whichever_strategy_decides() -> None:
    lifetimes = Lifetimes(strategies={MENU.value: "fixed"})
    lifetimes.observe(_seen())
    lifetimes.observe(_look(1, changed=True))
    assert lifetimes.learner.keys["dispensary_menu:weedmaps:1"].looks == 1


def test_a_failed_call_waits_for_the_next_try_whatever_the_strategy() -> None:
    lifetimes = Lifetimes(strategies={MENU.value: "fixed"})
    lifetimes.observe(_seen())
    decided = lifetimes.observe(_seen(now=MONDAY + HOUR, prev=MONDAY, ok=False))
    assert 0.0 < decided.lifetime_s <= DAY
    assert decided.lifetime_s != HOUR


def test_a_copy_that_the_learner_did_not_see_has_the_priors_probability() -> None:
    lifetimes = Lifetimes()
    key = "dispensary_menu:weedmaps:1"
    asked = (MONDAY, MONDAY + HOUR)
    assert lifetimes.stale_probability(key, MENU, asked) == prior.stale_probability(MENU, HOUR)
    lifetimes.observe(_seen())
    assert lifetimes.stale_probability(key, MENU, asked) == lifetimes.learner.stale_probability(key, asked[1])
    imported = (MONDAY - DAY, MONDAY)
    assert lifetimes.stale_probability(key, MENU, imported) == prior.stale_probability(MENU, DAY)


@pytest.mark.parametrize(
    "make_wrong",
    [
        lambda: Lifetimes(strategies={"menu": "fixed"}),
        lambda: Lifetimes(strategies={MENU.value: "clever"}),
        lambda: Lifetimes(base_s={MENU.value: -1.0}),
        lambda: Lifetimes(base_s={MENU.value: math.nan}),
        lambda: Lifetimes(limits={MENU.value: Lifetime(60.0, 600.0, 60.0)}),
        lambda: Lifetimes(limits={MENU.value: Lifetime(60.0, 0.0, 60.0)}),
        lambda: Lifetimes(limits={MENU.value: Lifetime(60.0, 1.0, math.inf)}),
        lambda: BudgetPrices({"weedmaps": 0.0}),
        lambda: BudgetPrices({"weedmaps": math.inf}),
    ],
)
def test_settings_that_make_no_sense_are_refused(make_wrong: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make_wrong()


def test_the_base_and_the_limits_can_be_set() -> None:
    lifetimes = Lifetimes(
        strategies={MENU.value: "fixed"},
        base_s={MENU.value: 900.0},
        limits={MENU.value: Lifetime(3_600.0, 1_000.0, 2_000.0)},
    )
    decided = lifetimes.observe(_seen())
    assert (decided.unbounded_s, decided.lifetime_s) == (900.0, 1_000.0)


def test_the_price_rises_over_the_budget_and_falls_below_it() -> None:
    prices = BudgetPrices({"weedmaps": 100.0})
    assert prices.price("weedmaps", MONDAY) == START
    for i in range(400):
        prices.called("weedmaps", MONDAY + i * 216.0)
    high = prices.price("weedmaps", MONDAY + DAY)
    assert high > 3 * START
    assert prices.price("weedmaps", MONDAY + 4 * DAY) < high / 2
    assert prices.price("leafly", MONDAY) == START


def test_calls_at_the_budget_leave_the_price_and_it_has_ends() -> None:
    prices = BudgetPrices({"a": 96.0, "b": 1.0, "c": 10.0})
    for i in range(960):
        prices.called("a", MONDAY + i * 900.0)
        prices.called("b", MONDAY + i * 900.0)
    prices.price("c", MONDAY)
    assert prices.price("a", MONDAY + 960 * 900.0) == pytest.approx(START, rel=0.02)
    assert prices.price("b", MONDAY + 960 * 900.0) <= MOST
    for day in range(10, 200, 5):
        last = prices.price("c", MONDAY + day * DAY)
    assert last == pytest.approx(LEAST)


def test_a_clock_that_jumps_back_does_not_move_the_price() -> None:
    prices = BudgetPrices({"a": 10.0})
    before = prices.price("a", MONDAY)
    assert prices.price("a", MONDAY - 5 * DAY) == before


def test_a_lower_budget_means_longer_lifetimes() -> None:
    dear, cheap = Lifetimes(), Lifetimes()
    a = dear.observe(_seen(price=4.0)).unbounded_s
    b = cheap.observe(_seen(price=0.25)).unbounded_s
    assert a > b


@pytest.mark.parametrize("name", list(StrategyName))
def test_every_strategy_can_be_replayed(name: StrategyName) -> None:
    policy = STRATEGIES[name.value]()
    answer = policy(Obs(tz=-7 * HOUR))
    again = policy(Obs(tz=-7 * HOUR, now=MONDAY + answer, prev=MONDAY, changed=True))
    failed = policy(Obs(tz=-7 * HOUR, now=MONDAY + 2 * answer, prev=MONDAY, ok=False))
    assert all(0.0 <= t < math.inf for t in (answer, again, failed))


def test_make_gives_a_learner_of_its_own_each_time() -> None:
    assert make().price == 1.0
    assert make(4.0) is not make(4.0)
    assert isinstance(make(4.0), Learner)
