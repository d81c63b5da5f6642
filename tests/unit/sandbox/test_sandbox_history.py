"""The state in force at a moment, however it is asked for."""

from __future__ import annotations

import random

import pytest

from weedhounds.sandbox import Market, rhythm
from weedhounds.sandbox.changes import RateStream
from weedhounds.sandbox.history import History
from weedhounds.sandbox.rhythm import DAY_S, zone_of

START = 1_767_600_000.0
DENVER = zone_of("America/Denver")
PARTS = 30


def make_stream(name: str, rate: float = 6.0) -> RateStream:
    return RateStream(
        9, (name,), DENVER, rate, profile=rhythm.MENU, hit=lambda g: (int(g.random() * PARTS),), sigma=0, burst_frac=0.1
    )


@pytest.mark.parametrize("step_s", [60.0, 3600.0, 20_000.0, 3 * DAY_S, 40 * DAY_S])
def test_a_state_moved_forward_equals_one_read_afresh(step_s: float) -> None:
    stream, moving = make_stream("forward"), History()
    for i in range(60):
        now = START + i * step_s
        assert moving.standing(stream, PARTS, now) == History().standing(stream, PARTS, now)


def test_times_may_be_asked_in_any_order() -> None:
    stream, kept = make_stream("any"), History()
    generator = random.Random(3)
    for _ in range(50):
        now = START + generator.uniform(-30, 30) * DAY_S
        assert kept.standing(stream, PARTS, now) == History().standing(stream, PARTS, now)


def test_a_state_holds_until_the_next_event_and_changes_at_it() -> None:
    stream, history = make_stream("until"), History()
    before = history.standing(stream, PARTS, START)
    event = next(history.between(stream, START, START + 30 * DAY_S))
    assert before.until == event.t
    just_before = History().standing(stream, PARTS, event.t - 0.0005)
    after = History().standing(stream, PARTS, event.t)
    assert just_before.latest == before.latest
    assert after.since == event.t
    assert after.latest[event.hits[0]] == event


def test_each_part_shows_the_latest_event_that_hit_it() -> None:
    stream, history = make_stream("latest"), History()
    standing = history.standing(stream, PARTS, START)
    hits = list(history.between(stream, START - 60 * DAY_S, START))
    for part in range(PARTS):
        own = [e for e in hits if part in e.hits]
        assert standing.latest[part] == own[-1]


def test_a_part_that_no_event_hit_has_its_first_state() -> None:
    stream = RateStream(9, ("never",), DENVER, 1e-9, profile=rhythm.MENU, sigma=0)
    standing = History().standing(stream, 2, START)
    assert [e.id for e in standing.latest] == [-1, -1]
    assert standing.since < START


def test_the_change_of_an_era_is_seen_by_a_moving_state_too() -> None:
    stream = RateStream(
        9, ("era",), DENVER, 0.02, profile=rhythm.MENU, hit=lambda g: (int(g.random() * PARTS),), sigma=0
    )
    week = rhythm.FIRST_ERA_WEEK + rhythm.ERA_WEEKS
    boundary = rhythm.unix_of(rhythm.week_start_date(week), 0, DENVER)
    moving = History()
    for now in (boundary - 8 * DAY_S, boundary - 1, boundary + 1, boundary + 8 * DAY_S):
        assert moving.standing(stream, PARTS, now) == History().standing(stream, PARTS, now)


def test_shops_of_one_market_do_not_share_their_changes() -> None:
    market = Market(2)
    times = [{e.t for e in market.events("menu", i, START, START + 14 * DAY_S)} for i in (0, 1)]
    assert times[0]
    assert not times[0] & times[1]
