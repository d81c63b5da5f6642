"""The learner's state survives as bytes; what cannot be used is told and never believed."""

from __future__ import annotations

import math
import random

import pytest

from driven import DAY, HOUR, MONDAY, Obs, drive
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.state import dump, load


def _taught() -> Learner:
    learner = Learner(2.0)
    rng = random.Random(1)
    changes = sorted(MONDAY + rng.uniform(0, 14 * DAY) for _ in range(100))
    drive(learner, changes, [MONDAY + i * 600.0 for i in range(2_000)], Obs())
    jobs = [MONDAY + d * DAY + 3 * HOUR for d in range(14)]
    stats = Obs(key="stats:1", dtype="analytics_data", tz=-7 * HOUR)
    drive(learner, jobs, [MONDAY + i * 900.0 for i in range(14 * 96)], stats)
    return learner


NOW = MONDAY + 15 * DAY


def test_a_restored_learner_believes_the_same() -> None:
    learner = _taught()
    restored = load(dump(learner))
    assert restored.is_kept
    assert restored.problem is None
    for key in ("menu:1", "stats:1"):
        before, after = learner.insight(key, NOW), restored.learner.insight(key, NOW)
        assert before is not None
        assert after is not None
        assert after.changes_per_day == pytest.approx(before.changes_per_day, rel=0.02)
        assert after.stale_probability == pytest.approx(before.stale_probability, rel=0.02)
        assert after.scheduled_at_min == before.scheduled_at_min
        assert after.looks == before.looks
    obs = Obs(now=NOW, prev=MONDAY + 14 * DAY, changed=False)
    assert restored.learner(obs) == pytest.approx(learner(obs), rel=0.2)


def test_storing_changes_nothing_and_is_repeatable() -> None:
    learner = _taught()
    data = dump(learner)
    assert dump(learner) == data
    again = load(dump(load(data).learner))
    assert again.is_kept
    assert list(again.learner.keys) == list(learner.keys)
    assert list(again.learner.schedules) == list(learner.schedules)


def test_an_empty_learner_is_stored() -> None:
    assert load(dump(Learner(3.0))).learner.price == 3.0


@pytest.mark.parametrize("data", [b"", b"WHTL", b"WHTL\x01", b"{}" * 40, b"\x00" * 100])
def test_what_is_no_state_starts_afresh(data: bytes) -> None:
    restored = load(data, price=2.0)
    assert not restored.is_kept
    assert restored.problem is not None
    assert "afresh" in restored.problem
    assert restored.learner.price == 2.0
    assert not restored.learner.keys


def test_another_version_starts_afresh_and_is_named() -> None:
    data = bytearray(dump(_taught()))
    data[4] = 9
    problem = load(bytes(data)).problem
    assert problem is not None
    assert "version 9" in problem


def test_every_damage_is_noticed() -> None:
    data = dump(_taught())
    rng = random.Random(2)
    for _ in range(60):
        broken = bytearray(data)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        assert not load(bytes(broken)).is_kept
    for _ in range(30):
        assert not load(data[: rng.randrange(len(data))]).is_kept


@pytest.mark.parametrize("field", ["like", "shape", "tz", "starts", "row"])
def test_well_formed_nonsense_is_refused(field: str) -> None:
    learner = _taught()
    if field == "like":
        learner.keys["menu:1"].like[3] = math.nan
    elif field == "shape":
        learner.types["dispensary_menu"].week.hours[5] = math.inf
    elif field == "tz":
        learner.keys["menu:1"].tz = math.inf
    elif field == "starts":
        learner.types["analytics_data"].starts = [[2.0] * 288, [0.0] * 288]
    else:
        learner.schedules["stats:1"].odds[0][7] = -1.0
    restored = load(dump(learner))
    assert not restored.is_kept
    assert restored.learner(Obs()) > 0.0


def test_more_keys_than_fit_keep_the_newest() -> None:
    learner = Learner(1.0)
    for i in range(50):
        learner(Obs(key=f"menu:{i}", now=MONDAY + i))
    restored = load(dump(learner), max_keys=10)
    assert list(restored.learner.keys) == [f"menu:{i}" for i in range(40, 50)]
