"""Situations in which read strategies are judged: how fast the tiers are, what they hold, what changes half way.

Everything but the tiers' speed and content is the product: strategies, look-up, guard, memory tier. It
runs in simulated time, one request after the other, and costs what the answers say: the wait, plus
prices for calls and for peers' bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from math import exp, log
from random import Random

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import ENTRY_BYTES, MemoryTier
from weedhounds.cache.meter import TierMeter
from weedhounds.cache.tier import Tier, TierStats
from weedhounds.codec.base import Compression, Format
from weedhounds.codec.envelope import seal
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import DIGEST_BYTES, RecordKey
from weedhounds.sim.virtual_time import LoopClock, run_virtually
from weedhounds.strategies.base import Group, ReadStrategy
from weedhounds.strategies.guard import TierGuard
from weedhounds.strategies.lookup import TierLookup

BODY_BYTES = 8192
_BODY = seal(bytes(BODY_BYTES), Format.JSON, Compression.NONE, length=BODY_BYTES)
_DIGEST = bytes(DIGEST_BYTES)
_GROUPS = (
    (DataType.DISPENSARY_MENU, "one"),
    (DataType.PRODUCT_PRICING, "one"),
    (DataType.DISPENSARY_MENU, "two"),
)


class Speed(msgspec.Struct, frozen=True):
    """How long answers take: lognormal around ``median_s``, and a share of them ``slow_s`` longer.

    Args:
        spread: standard deviation of the logarithm.
    """

    median_s: float
    spread: float = 0.3
    slow_frac: float = 0.0
    slow_s: float = 0.0

    def draw(self, rng: Random) -> float:
        """Return one latency, seconds."""
        seconds = self.median_s * exp(self.spread * rng.gauss(0.0, 1.0))
        return seconds + (self.slow_s if rng.random() < self.slow_frac else 0.0)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What may change half way.

    Args:
        peers_fresh, peers_expired: shares of the keys that a peer has fresh, or has too old; drawn anew for
            each key with each lifetime.
        origin_fails: share of the calls that come to nothing.
    """

    sql: Speed
    peers: Speed
    origin: Speed
    peers_fresh: float
    peers_expired: float = 0.05
    origin_fails: float = 0.0


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """One situation.

    Args:
        then: how it is from half of the measured requests on; ``None`` for no change.
        sql_fresh, sql_expired: shares of the keys that the SQL tier holds at the beginning.
        keys: how many there are, asked for by Zipf's law with exponent 0.9.
        in_memory: entries that the memory tier has room for.
        lifetime_s: of what the origin gives, seconds.
        gap_s: seconds between two requests.
    """

    name: str
    parts: Parts
    then: Parts | None = None
    sql_fresh: float = 0.5
    sql_expired: float = 0.3
    keys: int = 300
    in_memory: int = 30
    lifetime_s: float = 60.0
    gap_s: float = 0.1


class Price(msgspec.Struct, frozen=True):
    """What is paid, in seconds of waiting: for a call, and for each byte of a peer's answers."""

    call_s: float
    byte_s: float


class Request(msgspec.Struct, frozen=True, gc=False):
    """What one request came to; ``cost_s`` is the wait with everything paid."""

    cost_s: float
    latency_s: float
    calls: int
    peer_bytes: int
    is_answered: bool


class SimTier:
    """A tier that takes its time."""

    def __init__(self, name: str, speed: Speed, rng: Random) -> None:
        self.name = name
        self.speed = speed
        self.held: dict[RecordKey, Entry] = {}
        self.sent_bytes = 0
        self._rng = rng

    async def get_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Return the entries held, after a while."""
        await asyncio.sleep(self.speed.draw(self._rng))
        found = {key: entry for key in keys if (entry := self.entry(key)) is not None}
        self.sent_bytes += sum(len(entry.body) for entry in found.values())
        return found

    def entry(self, key: RecordKey) -> Entry | None:
        """Return the entry held."""
        return self.held.get(key)

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Hold the entries."""
        for entry in entries:
            old = self.held.get(entry.key)
            if old is None or old.fetched_at <= entry.fetched_at:
                self.held[entry.key] = entry

    async def discard(self, keys: Collection[RecordKey]) -> int:
        """Remove the keys."""
        return sum(self.held.pop(key, None) is not None for key in keys)

    def stats(self) -> TierStats:
        """Return how much is held."""
        return TierStats(entries=len(self.held))

    async def close(self) -> None:
        """Let go of nothing."""


class SimPeers(SimTier):
    """Peers that hold a share of all keys, whatever this node does."""

    def __init__(self, situation: Situation, seed: int, clock: LoopClock) -> None:
        super().__init__("peers", situation.parts.peers, Random(f"{seed} peers"))
        self.parts = situation.parts
        self._lifetime_s = situation.lifetime_s
        self._seed = seed
        self._clock = clock

    def entry(self, key: RecordKey) -> Entry | None:
        """Return what peers hold in this lifetime of the key."""
        now = self._clock.now()
        phase = self._lifetime_s * Random(f"{self._seed} {key}").random()
        turn, age_s = divmod(now + phase, self._lifetime_s)
        drawn = Random(f"{self._seed} {key} {turn}").random()
        if drawn < self.parts.peers_fresh:
            return entry_of(key, now - age_s, self._lifetime_s)
        if drawn < self.parts.peers_fresh + self.parts.peers_expired:
            return entry_of(key, now - age_s - self._lifetime_s, self._lifetime_s)
        return None

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Keep nothing."""


class Stage:
    """One strategy in one situation.

    Args:
        seed: of demand, latencies and content: two strategies with the same seed meet the same.
    """

    def __init__(self, situation: Situation, strategy: ReadStrategy, price: Price, seed: int) -> None:
        self.strategy = strategy
        self._situation = situation
        self._price = price
        self._clock = LoopClock()
        self._rng = Random(f"{seed} demand")
        self._origin_rng = Random(f"{seed} origin")
        self._parts = situation.parts
        self._memory = MemoryTier(situation.in_memory * (ENTRY_BYTES + len(_BODY)))
        self._sql = SimTier("sql", situation.parts.sql, Random(f"{seed} sql"))
        self._peers = SimPeers(situation, seed, self._clock)
        tiers: tuple[Tier, ...] = (self._memory, self._sql, self._peers)
        self._lookup = TierLookup(
            tiers,
            strategy,
            clock=self._clock,
            guard=TierGuard((tier.name for tier in tiers), self._clock),
            meters={tier.name: TierMeter() for tier in tiers},
            limits={},
        )
        self._keys = [RecordKey(*_GROUPS[n % len(_GROUPS)], str(n)) for n in range(situation.keys)]
        self._weights = list(accumulate((n + 1) ** -0.9 for n in range(situation.keys)))

    def run(self, learning: int, measured: int) -> list[Request]:
        """Return what each of the measured requests came to, after those that only teach."""
        return run_virtually(self._run(learning, measured))

    async def _run(self, learning: int, measured: int) -> list[Request]:
        self._fill()
        done = []
        for n in range(learning + measured):
            if n == learning + measured // 2 and self._situation.then is not None:
                self._change(self._situation.then)
            done.append(await self._request(self._rng.choices(self._keys, cum_weights=self._weights)[0]))
            await asyncio.sleep(self._situation.gap_s)
        return done[learning:]

    def _fill(self) -> None:
        """Put into the SQL tier what it holds at the beginning."""
        now, lifetime_s = self._clock.now(), self._situation.lifetime_s
        for key in self._keys:
            drawn, age_s = self._rng.random(), lifetime_s * self._rng.random()
            if drawn < self._situation.sql_fresh:
                self._sql.held[key] = entry_of(key, now - age_s, lifetime_s)
            elif drawn < self._situation.sql_fresh + self._situation.sql_expired:
                self._sql.held[key] = entry_of(key, now - age_s - lifetime_s, lifetime_s)

    def _change(self, parts: Parts) -> None:
        self._parts = self._peers.parts = parts
        self._sql.speed, self._peers.speed = parts.sql, parts.peers

    async def _request(self, key: RecordKey) -> Request:
        started, sent = self._clock.monotonic(), self._peers.sent_bytes
        found, held = await self._lookup.look_up([key])
        calls, is_answered = 0, key in found
        if not is_answered:
            calls, is_answered = 1, await self._call(key)
        if not is_answered and key not in held:  # what a plan left out may still be better than nothing
            found, held = await self._lookup.look_up_forgone([key])
        latency_s, peer_bytes = self._clock.monotonic() - started, self._peers.sent_bytes - sent
        cost_s = latency_s + calls * self._price.call_s + peer_bytes * self._price.byte_s
        return Request(cost_s, latency_s, calls, peer_bytes, is_answered or key in found or key in held)

    async def _call(self, key: RecordKey) -> bool:
        started = self._clock.monotonic()
        await asyncio.sleep(self._parts.origin.draw(self._origin_rng))
        is_well = self._origin_rng.random() >= self._parts.origin_fails
        self._lookup.loaded([key], [key] if is_well else [], self._clock.monotonic() - started)
        if is_well:
            entry = entry_of(key, self._clock.now(), self._situation.lifetime_s)
            await self._memory.put_many([entry])
            await self._sql.put_many([entry])
        return is_well


def entry_of(key: RecordKey, fetched_at: float, lifetime_s: float) -> Entry:
    """Return an entry of ``BODY_BYTES`` that says nothing.

    Args:
        fetched_at: Unix seconds.
    """
    return Entry(
        key, _BODY, fetched_at=fetched_at, expires_at=fetched_at + lifetime_s, digest=_DIGEST, origins=(key.origin,)
    )


GROUPS = tuple(Group(*group) for group in _GROUPS)
FAST_SQL = Speed(0.003, 0.4, slow_frac=0.01, slow_s=0.05)
ORIGIN = Speed(0.3, 0.4, slow_frac=0.02, slow_s=1.0)

SCRIPTED: Mapping[str, Situation] = {
    each.name: each
    for each in (
        Situation(
            name="peer fast",
            parts=Parts(sql=Speed(0.02, 0.4), peers=Speed(0.006, 0.3), origin=ORIGIN, peers_fresh=0.9),
            sql_fresh=0.3,
        ),
        Situation(
            name="peer slow",
            parts=Parts(sql=FAST_SQL, peers=Speed(0.4, 0.6, 0.1, 0.6), origin=ORIGIN, peers_fresh=0.3),
        ),
        Situation(
            name="SQL slow",
            parts=Parts(sql=Speed(0.12, 0.5), peers=Speed(0.03, 0.4), origin=ORIGIN, peers_fresh=0.7),
        ),
        Situation(
            name="origin down",
            parts=Parts(
                sql=FAST_SQL, peers=Speed(0.04, 0.4), origin=Speed(1.0, 0.1), peers_fresh=0.6, origin_fails=1.0
            ),
        ),
        Situation(
            name="cold",
            parts=Parts(sql=FAST_SQL, peers=Speed(0.04, 0.4, 0.05, 0.3), origin=ORIGIN, peers_fresh=0.2),
            sql_fresh=0.0,
            sql_expired=0.0,
            keys=3000,
        ),
        Situation(
            name="shifting half way",
            parts=Parts(sql=FAST_SQL, peers=Speed(0.15, 0.4), origin=ORIGIN, peers_fresh=0.5),
            then=Parts(sql=Speed(0.06, 0.5), peers=Speed(0.015, 0.4), origin=ORIGIN, peers_fresh=0.8),
        ),
    )
}
"""The six situations of the read path's promise, by name."""

PRICES = (Price(0.1, 0.0), Price(1.0, 1e-6), Price(5.0, 1e-5))
"""Calls cheap and bytes free; a call worth a second and a peer's answer 8 ms; 5 s, and 80 ms."""


def drawn_situations(seed: int) -> Iterator[Situation]:
    """Yield random situations without end: nothing was fitted to them."""
    rng = Random(seed)
    number = 0
    while True:
        number += 1
        parts = _drawn_parts(rng)
        yield Situation(
            name=f"drawn {seed}-{number}",
            parts=parts,
            then=_drawn_parts(rng) if rng.random() < 0.4 else None,
            sql_fresh=rng.uniform(0.0, 0.7),
            sql_expired=rng.uniform(0.0, 0.3),
            keys=int(_spread(rng, 100, 3000)),
            in_memory=int(_spread(rng, 10, 100)),
            lifetime_s=_spread(rng, 20, 200),
        )


def _drawn_parts(rng: Random) -> Parts:
    return Parts(
        sql=_drawn_speed(rng, 0.001, 0.2),
        peers=_drawn_speed(rng, 0.003, 0.5),
        origin=_drawn_speed(rng, 0.1, 1.0),
        peers_fresh=rng.uniform(0.0, 0.95),
        peers_expired=rng.uniform(0.0, 0.05),
        origin_fails=rng.choice((0.0, 0.0, 0.0, 0.2, 1.0)),
    )


def _drawn_speed(rng: Random, low_s: float, high_s: float) -> Speed:
    median_s = _spread(rng, low_s, high_s)
    slow_frac = rng.choice((0.0, 0.01, 0.05, 0.15))
    return Speed(median_s, rng.uniform(0.1, 0.7), slow_frac, median_s * rng.uniform(2, 20))


def _spread(rng: Random, low: float, high: float) -> float:
    return exp(rng.uniform(log(low), log(high)))
