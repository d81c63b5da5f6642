"""Which rows leave a SQL tier that is full, and what is remembered of their use.

First leave rows that expired beyond any stale use; then the least valuable of a sample. A row is
worth the requests that it had lately for each byte that it takes, an expired one a quarter of that.
A request counts half after each day, the fetch itself counts as one. Requests are counted in
memory and noted in the table ``uses`` together with other writes: a hit writes nothing. Digests
are evenly spread, so the rows behind any digest are a fair sample: no index of values is kept,
and none must be written when a row is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from weedhounds.cache import rows
from weedhounds.cache.totals import Totals
from weedhounds.cache.work import Ask, Dialect, DoMany, Row, Work, ask_in

EVICT = 256
"""Most rows that leave in one batch."""
CANDIDATES = 4 * EVICT
"""Rows that are looked at for one batch, of those that expired first and of the sample each."""
HALF_LIFE_MS = 86_400_000
EXPIRED_FACTOR = 0.25
_COLUMNS = ("digest", "score", "at_ms")


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A row that might leave; times in Unix milliseconds."""

    digest: bytes
    size: int
    fetched_ms: int
    expires_ms: int
    score: float = 0.0
    at_ms: int = 0


def decayed(score: float, at_ms: int, now_ms: int) -> float:
    """Return what a score of ``at_ms`` counts at ``now_ms``."""
    return score * math.exp2(-max(0, min(now_ms - at_ms, 64 * HALF_LIFE_MS)) / HALF_LIFE_MS)


def is_spent(candidate: Candidate, now_ms: int, stale_if_error_frac: float) -> bool:
    """Tell whether a row expired so long ago that it is not even served while its origin fails."""
    lifetime_ms = max(0, candidate.expires_ms - candidate.fetched_ms)
    return now_ms - candidate.expires_ms >= max(1.0, stale_if_error_frac * lifetime_ms)


def worth(candidate: Candidate, now_ms: int) -> float:
    """Return the recent requests of a row for each byte."""
    requests = decayed(candidate.score, candidate.at_ms, now_ms) + decayed(1.0, candidate.fetched_ms, now_ms)
    factor = EXPIRED_FACTOR if now_ms >= candidate.expires_ms else 1.0
    return factor * requests / max(1, candidate.size)


def least_valuable(candidates: list[Candidate], surplus: int, now_ms: int) -> list[bytes]:
    """Return the rows to let go, the least valuable first, until ``surplus`` bytes are free; at most ``EVICT``."""
    chosen: list[bytes] = []
    for each in sorted(candidates, key=lambda c: (worth(c, now_ms), c.expires_ms, c.digest))[:EVICT]:
        if surplus <= 0:
            break
        chosen.append(each.digest)
        surplus -= each.size
    return chosen


# Work: see weedhounds.cache.work.


def evict(
    dialect: Dialect, totals: Totals, surplus: int, *, now_ms: int, stale_if_error_frac: float, start: bytes
) -> Work[set[bytes]]:
    """Let one batch of rows go, those that are pinned excepted; return their digests.

    Args:
        totals: locked by this transaction.
        surplus: bytes that should become free.
        start: a random digest: where the sample begins.
    """
    oldest = yield Ask(
        f"SELECT digest, {dialect.size}, fetched_ms, expires_ms FROM entries WHERE pinned = 0 AND expires_ms <= ?"
        " ORDER BY expires_ms LIMIT ?",
        (now_ms, CANDIDATES),
    )
    spent = [c for c in _candidates(oldest) if is_spent(c, now_ms, stale_if_error_frac)]
    chosen: list[bytes] = []
    for each in spent[:EVICT]:
        if surplus <= 0:
            break
        chosen.append(each.digest)
        surplus -= each.size
    if surplus > 0 and len(chosen) < EVICT:
        sample = yield from _sample(dialect, start)
        taken = set(chosen)
        rest = [c for c in sample if c.digest not in taken]
        chosen += least_valuable(rest, surplus, now_ms)[: EVICT - len(chosen)]
    return (yield from rows.delete_entries(dialect, totals, chosen)) if chosen else set()


def _sample(dialect: Dialect, start: bytes) -> Work[list[Candidate]]:
    sql = (
        f"SELECT e.digest, {dialect.size}, fetched_ms, expires_ms, score, at_ms FROM entries AS e"
        " LEFT JOIN uses AS u ON u.digest = e.digest WHERE pinned = 0 AND e.digest {} ? ORDER BY e.digest LIMIT ?"
    )
    found = list((yield Ask(sql.format(">="), (start, CANDIDATES))))
    if len(found) < CANDIDATES:
        found += yield Ask(sql.format("<"), (start, CANDIDATES - len(found)))
    return _candidates(found)


def _candidates(found: list[Row]) -> list[Candidate]:
    """Return candidates; a row whose numbers are damaged is one of the least value."""
    candidates = []
    for digest, size, fetched_ms, expires_ms, *use in found:
        fetched_ms, expires_ms = (v if type(v) is int else -rows.MAX_MS for v in (fetched_ms, expires_ms))
        score, at_ms = use if len(use) == 2 and type(use[0]) is float and type(use[1]) is int else (0.0, 0)
        candidates.append(Candidate(digest, size if type(size) is int else 0, fetched_ms, expires_ms, score, at_ms))
    return candidates


def note_uses(dialect: Dialect, counts: Mapping[bytes, int], now_ms: int) -> Work[None]:
    """Add requests to what is noted of the rows that are still there."""
    held = {digest for (digest,) in (yield from ask_in("SELECT digest FROM entries WHERE digest", counts))}
    noted = yield from ask_in("SELECT digest, score, at_ms FROM uses WHERE digest", held)
    before = {digest: decayed(float(score), int(at_ms), now_ms) for digest, score, at_ms in noted}
    head, tail = dialect.upsert("uses", _COLUMNS, "digest")
    changed = [(digest, before.get(digest, 0.0) + counts[digest], now_ms) for digest in sorted(held)]
    if changed:
        yield DoMany(head, changed, tail)
