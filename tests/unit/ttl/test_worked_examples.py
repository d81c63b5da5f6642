"""The examples in docs/ttl.md are what the strategies answer."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from driven import DAY, HOUR, MONDAY, Obs, drive
from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.model.records import OpenPeriod
from weedhounds.ttl.adaptive import Adaptive
from weedhounds.ttl.business_hours import BusinessHours
from weedhounds.ttl.decide import fixed
from weedhounds.ttl.learner import MAX_KEYS, MAX_PLANS, MAX_SCHEDULES, Learner
from weedhounds.ttl.strategy import Seen
from weedhounds.ttl.volatility import Volatility

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ttl.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return PAGE.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def _rows(title: str) -> list[list[str]]:
    rows = [[c.strip() for c in line.strip("| ").split("|")] for line in _section(title).splitlines() if "|" in line]
    return [row for row in rows[1:] if not set(row[0]) <= {"-"}]


def _minutes(text: str) -> float:
    number, unit = text.split()
    assert unit == "min"
    return float(number)


def _menu(**given: object) -> Seen:
    start: dict[str, object] = {"key": "m", "dtype": "dispensary_menu", "source": "s", "base_s": HOUR, "now": MONDAY}
    return Seen(**(start | given))  # type: ignore[arg-type]


def test_fixed() -> None:
    base_s = LIFETIMES[DataType.PRODUCT_PRICING].base_s
    lifetime = fixed(Seen(key="p", dtype="product_pricing", source="s", base_s=base_s, now=MONDAY))
    assert f"base lifetime of {lifetime / 60:.0f} min" in _section("Fixed")


def test_adaptive() -> None:
    strategy, prev = Adaptive(), None
    rows = _rows("Adaptive")
    assert len(rows) == 3
    for clock, answer, requests, lifetime in rows:
        now = MONDAY + int(clock[:2]) * HOUR
        changed = None if answer == "first" else answer == "changed"
        seen = _menu(now=now, prev=prev, changed=changed, n_req=int(requests))
        assert strategy(seen) / 60 == pytest.approx(_minutes(lifetime))
        prev = now


def test_business_hours() -> None:
    hours = tuple(OpenPeriod(day, 9 * 60, 21 * 60) for day in range(7))
    rows = _rows("Business hours")
    assert len(rows) == 5
    for when, lifetime in rows:
        day, clock = when.split()
        hour, minute = map(int, clock.split(":"))
        date = {"Friday": 6, "Sunday": 8}[day]
        now = datetime(2026, 3, date, hour, minute, tzinfo=ZoneInfo("America/Denver")).timestamp()
        seen = _menu(now=now, time_zone="America/Denver", hours=hours)
        assert BusinessHours()(seen) / 60 == pytest.approx(_minutes(lifetime))


def test_volatility() -> None:
    rows = _rows("Volatility")
    assert len(rows) == 2
    for which, lifetime in rows:
        strategy, changed = Volatility(), which.startswith("all")
        for i in range(1, 4):
            answer = strategy(_menu(now=MONDAY + i * HOUR, prev=MONDAY + (i - 1) * HOUR, changed=changed))
        assert answer / 60 == pytest.approx(_minutes(lifetime), abs=0.5)


def test_hybrid() -> None:
    rows = _rows("Hybrid: the learner")
    assert len(rows) == 4
    for column, changed in ((1, True), (2, False)):
        learner = Learner(1.0)
        for i, row in enumerate(rows):
            prev = MONDAY + (i - 1) * HOUR if i else None
            obs = Obs(now=MONDAY + i * HOUR, prev=prev, changed=changed if i else None, n_req=8 if i else 1)
            assert learner(obs) / 60 == pytest.approx(_minutes(row[column]), abs=0.5)


def test_the_nightly_job() -> None:
    told = re.search(r"expires between (\d):(\d\d) and (\d):(\d\d)", _section("Hybrid: the learner"))
    assert told is not None
    first, last = int(told[1]) * 60 + int(told[2]), int(told[3]) * 60 + int(told[4])
    jobs = [MONDAY + d * DAY + 3 * HOUR + (137 * d) % 600 for d in range(21)]
    requests = [MONDAY + i * 900.0 for i in range(21 * 96)]
    out = drive(Learner(4.0), jobs, requests, Obs(key="stats:1", dtype="analytics_data"))
    late = [(c, t) for c, t in zip(out.calls, out.lifetimes, strict=True) if c > MONDAY + 14 * DAY]
    assert len(late) == 7
    assert all(first <= ((c + t - MONDAY) % DAY) / 60 <= last for c, t in late)


def test_the_bounds() -> None:
    told = {name: int(value.replace(",", "")) for name, value in _rows("What is kept")}
    assert told == {"keys": MAX_KEYS, "plans": MAX_PLANS, "schedules": MAX_SCHEDULES}
