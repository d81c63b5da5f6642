"""What a row is worth falls with time, rises with requests, and is counted by the byte."""

from __future__ import annotations

import pytest

from weedhounds.cache.worth import EVICT, HALF_LIFE_MS, Candidate, decayed, is_spent, least_valuable, worth

NOW = 1_750_000_000_000
HOUR = 3_600_000


def row(name: int, **changed: float) -> Candidate:
    fields: dict[str, float] = {"size": 1000, "fetched_ms": NOW, "expires_ms": NOW + HOUR, **changed}
    return Candidate(digest=bytes([name % 256]) * 20, **fields)  # type: ignore[arg-type]


def test_a_request_counts_half_after_each_half_life() -> None:
    assert decayed(8.0, NOW, NOW) == 8.0
    assert decayed(8.0, NOW, NOW + HALF_LIFE_MS) == 4.0
    assert decayed(8.0, NOW, NOW + 3 * HALF_LIFE_MS) == 1.0


@pytest.mark.parametrize("at_ms", [-(2**62), 0, NOW + 2**60])
def test_absurd_times_are_no_errors(at_ms: int) -> None:
    assert 0 <= decayed(1.0, at_ms, NOW) <= 1
    assert worth(row(1, fetched_ms=at_ms, expires_ms=-at_ms, size=0), NOW) >= 0


def test_requests_add_and_bytes_divide() -> None:
    assert worth(row(1, score=3.0, at_ms=NOW), NOW) == pytest.approx(4 / 1000)
    assert worth(row(1, size=4000), NOW) == pytest.approx(1 / 4000)


def test_an_expired_row_is_worth_a_quarter() -> None:
    assert worth(row(1, expires_ms=NOW), NOW) == pytest.approx(worth(row(1), NOW) / 4)


@pytest.mark.parametrize(
    ("expired_for_h", "frac", "spent"), [(-1, 2.0, False), (0, 2.0, False), (1.99, 2.0, False), (2, 2.0, True), (0, 0.0, False), (0.01, 0.0, True)]
)  # fmt: skip
def test_spent_is_what_may_not_even_be_served_while_its_origin_fails(
    expired_for_h: float, frac: float, spent: bool
) -> None:
    expires_ms = NOW - round(expired_for_h * HOUR)
    assert is_spent(row(1, fetched_ms=expires_ms - HOUR, expires_ms=expires_ms), NOW, frac) is spent


def test_the_least_valuable_leave_until_enough_is_free() -> None:
    rows = [row(1, score=5.0, at_ms=NOW), row(2, size=9000), row(3), row(4, expires_ms=NOW + 2 * HOUR)]
    assert [digest[0] for digest in least_valuable(rows, 9_500, NOW)] == [2, 3]
    assert [digest[0] for digest in least_valuable(rows, 1, NOW)] == [2]
    assert least_valuable(rows, 0, NOW) == []


def test_a_batch_is_bounded() -> None:
    assert len(least_valuable([row(n) for n in range(1000)], 10**9, NOW)) == EVICT
