"""The read path: tiers in order, then the origins, one load of a key at a time.

Strategy ``local_first``: what a tier holds fresh is served and copied up; what is missing or
expired is loaded from its origin, stored in every tier and served; where the origin fails, an
expired entry is served within bounds and said to be stale. The read path never learns which
backend a tier is, and a tier that fails is skipped.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from random import Random
from typing import TypeVar

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.freshness import may_serve_stale_on_error, must_be_gone
from weedhounds.cache.identity import IdentityStore
from weedhounds.cache.lease import SharedLoads
from weedhounds.cache.meter import Outcome, RequestMeter, RequestStats, TierMeter
from weedhounds.cache.negative import NegativeEntries
from weedhounds.cache.recorder import PriceObserver
from weedhounds.cache.tier import Tier, TierStats
from weedhounds.clock import Clock
from weedhounds.config import CacheSettings
from weedhounds.errors import (
    CodecError,
    DeadlinePassed,
    NotFound,
    OriginRejected,
    OriginUnavailable,
    RateLimited,
    SourceError,
    TierUnavailable,
    WeedHoundsError,
)
from weedhounds.flight import Filling, Flight, Flights
from weedhounds.loader import Loader, Origin, keys_of_flight, plan_loads
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Body, PriceList, Shop
from weedhounds.sources.base import Load
from weedhounds.sources.fetch import located
from weedhounds.telemetry import Trace, get_logger

__all__ = ["Found", "Origin", "ReadResult", "ReadStats", "ReadThrough", "Trace"]

TIER_TIMEOUT_S = 5.0
"""How long a tier may take before it counts as failed."""
LONGEST_WAIT_S = 180.0
"""How long a request without a deadline waits."""
_DEADLINE_SLACK_S = 0.05
_WITHOUT_IDENTITY = frozenset({DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.PROMOTIONS})
"""Found by their shop: decoding them for an index would be for nothing."""

T = TypeVar("T")
log = get_logger("weedhounds.readthrough")


class Found(msgspec.Struct, frozen=True, gc=False):
    """An entry and where it was: ``memory`` | ``sql`` | ``peers`` | ``origin``; expired where ``is_stale``."""

    entry: Entry
    tier: str
    is_stale: bool = False


class ReadResult(msgspec.Struct):
    """What a read came to: every asked key is in ``found`` or in ``missing``.

    ``stale_errors`` says for a key that is found stale why it could not be refreshed.
    """

    found: dict[RecordKey, Found]
    missing: dict[RecordKey, WeedHoundsError]
    stale_errors: dict[RecordKey, WeedHoundsError]


class ReadStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the read path since start.

    Args:
        requests: what became of every key that was asked for; ``by_type`` the same by data type.
        loads: loads started. ``joined``: times that somebody waited for another's load.
        in_flight: loads that run now.
        negative_entries: absences remembered now. ``negative_served``: times one was the answer.
        stale_served: expired entries served because their origin failed.
        tier_errors: times that a tier was skipped because it failed.
    """

    requests: RequestStats
    by_type: dict[str, RequestStats]
    loads: int
    joined: int
    in_flight: int
    negative_entries: int
    negative_served: int
    stale_served: int
    tier_errors: int


def _no_identities(_: Body) -> Iterable[str]:
    return ()


class ReadThrough:
    """Reads records through the tiers from the origins.

    Args:
        tiers: fastest first.
        origins: by origin id.
        index: where identities are remembered; ``None`` for nowhere.
        identities_of: the merged identities of a record.
        history: told of every price list that is stored; ``None`` for nobody.
        direct_hits: requests that the first tier answered without the read path, by data type: counted by
            whoever answers them, and read for the figures.
        shared: makes the nodes that share the last tier load each thing once; ``None`` for a node alone.
        rng: draws the jitter of lifetimes.

    Bounds: loads in flight as many as are waited for; negative entries as :class:`NegativeEntries` says.
    """

    def __init__(
        self,
        *,
        tiers: Sequence[Tier],
        origins: Mapping[str, Origin],
        clock: Clock,
        settings: CacheSettings,
        index: IdentityStore | None = None,
        identities_of: Callable[[Body], Iterable[str]] = _no_identities,
        history: PriceObserver | None = None,
        direct_hits: Mapping[DataType, int] | None = None,
        shared: SharedLoads | None = None,
        rng: Random | None = None,
    ) -> None:
        self._shared = shared
        self._tiers = tuple(tiers)
        self._origins = origins
        self._clock = clock
        self._settings = settings
        self._index = index
        self._identities_of = identities_of
        self._loader = Loader(clock, settings, rng or Random())
        self._flights = Flights()
        self._negative = NegativeEntries()
        self._history = history
        self._meters = {tier.name: TierMeter(None if depth else direct_hits) for depth, tier in enumerate(self._tiers)}
        self._requests = RequestMeter(direct_hits)
        self._negative_served = 0
        self._tier_errors = 0
        self._failing: set[str] = set()

    async def get_many(
        self,
        keys: Iterable[RecordKey],
        *,
        deadline: float | None,
        trace: Trace,
        shops: Mapping[tuple[str, str], Shop] | None = None,
        offline: bool = False,
    ) -> ReadResult:
        """Return the entries of ``keys``, from the nearest tier that has them fresh, else from their origin.

        Args:
            deadline: monotonic seconds; what has not come by then is missing.
            trace: what the request costs is counted there.
            shops: known shops by origin and native id, for origins whose addresses need a slug.
            offline: ask the tiers alone, and serve what they hold however old it is.
        """
        wanted = tuple(dict.fromkeys(keys))
        asking = _Asking(deadline, trace, _by_origin(shops or {}), {})
        result = ReadResult({}, {}, {})
        try:
            await self._read(wanted, asking, result, offline=offline)
        finally:
            self._count(wanted, result)
        for key in wanted:
            if key in result.found:
                trace.found(result.found[key].tier)
        return result

    async def _read(self, wanted: Sequence[RecordKey], asking: _Asking, result: ReadResult, *, offline: bool) -> None:
        """Find or load every wanted key, into ``result``."""
        started = self._clock.monotonic()
        trace, deadline = asking.trace, asking.deadline
        timeout_s = TIER_TIMEOUT_S if offline else min(TIER_TIMEOUT_S, self._time_left_s(deadline))
        landing = self._flights.landings
        found, held = await self._look_up(wanted, trace, timeout_s=timeout_s, serves_expired=offline)
        result.found.update(found)
        left = [key for key in wanted if key not in found]
        if late := self._flights.landed_since(left, landing):  # filled while the tiers were being asked
            again, _ = await self._look_up(late, trace, timeout_s=timeout_s, serves_expired=offline, is_counted=False)
            result.found.update(again)
            left = [key for key in left if key not in again]
        if offline:
            result.missing.update((key, NotFound("not held here", str(key), key.origin)) for key in left)
        elif left:
            asking.held.update(held)
            errors = await self._load_missing(left, asking, result.found)
            self._settle(result, errors, held, self._clock.monotonic() - started)

    def _count(self, wanted: Sequence[RecordKey], result: ReadResult) -> None:
        """Count what became of each request; of one that was given up, what had not come is missing."""
        for key in wanted:
            found = result.found.get(key)
            outcome: Outcome = "hits"
            if found is None:
                outcome = "missing"
            elif found.tier == "origin":
                outcome = "loaded"
            elif key in result.stale_errors:
                outcome = "stale"
            self._requests.add(key.data_type, outcome)
            if found is not None and found.is_stale:
                self._meters[found.tier].served_stale(key.data_type)

    async def fill(
        self,
        entries: Sequence[Entry],
        trace: Trace | None = None,
        *,
        replaced: Mapping[RecordKey, Entry] | None = None,
    ) -> None:
        """Store the entries in every tier and remember their identities; a tier that fails is skipped.

        The prices among them are handed to the history, but for imported ones: an import knows better
        what it observed (:meth:`observe_part`).

        Args:
            replaced: the entries held before, where they are known.
        """
        if not entries:
            return
        if self._history is not None:
            old = replaced or {}
            for entry in entries:
                if entry.key.data_type is DataType.PRODUCT_PRICING and not entry.pinned:
                    self._history.observe(entry, old.get(entry.key))
        for tier in self._tiers:
            await self._ask(tier.put_many(entries), tier.name, None, trace)
        for entry in entries:
            self._negative.discard(entry.key)
        if self._index is not None:
            pairs = await asyncio.to_thread(self._pairs, entries)
            if pairs:
                await self._ask(self._index.add_many(pairs), "identities", None, trace)

    def observe_part(self, key: RecordKey, prices: PriceList, at: float, old: Entry | None = None) -> None:
        """Tell the history of prices that are perhaps not all of the shop's, given at ``at`` (Unix seconds)."""
        if self._history is not None:
            self._history.observe_part(key, prices, at, old)

    async def discard(self, keys: Collection[RecordKey]) -> None:
        """Remove the keys from every tier: their entries are damaged, or must be gone."""
        for tier in self._tiers:
            await self._ask(tier.discard(keys), tier.name, 0, None)

    def stats(self) -> ReadStats:
        """Return the figures."""
        requests = self._requests.total()
        return ReadStats(
            requests=requests,
            by_type=self._requests.by_type(),
            loads=self._flights.started,
            joined=self._flights.joined,
            in_flight=len(self._flights),
            negative_entries=len(self._negative),
            negative_served=self._negative_served,
            stale_served=requests.stale,
            tier_errors=self._tier_errors,
        )

    def tier_stats(self) -> dict[str, TierStats]:
        """Return the figures of each tier, with what was asked of it, by data type too."""
        return {tier.name: self._meters[tier.name].over(tier.stats()) for tier in self._tiers}

    async def close(self) -> None:
        """End the loads in flight; the tiers stay open."""
        await self._flights.close()

    async def _look_up(
        self,
        wanted: Sequence[RecordKey],
        trace: Trace,
        *,
        timeout_s: float,
        serves_expired: bool,
        is_counted: bool = True,
    ) -> tuple[dict[RecordKey, Found], dict[RecordKey, Found]]:
        """Return what the tiers have to serve, and the expired entries they hold besides.

        Args:
            is_counted: no request is counted twice: looking again for the same one is not.
        """
        found: dict[RecordKey, Found] = {}
        held: dict[RecordKey, Found] = {}
        left: Collection[RecordKey] = wanted
        now = self._clock.now()
        for depth, tier in enumerate(self._tiers):
            if not left:
                break
            started = self._clock.monotonic()
            entries = await self._ask(tier.get_many(left), tier.name, None, trace, timeout_s=timeout_s)
            if entries is None:
                continue
            if is_counted:
                meter = self._meters[tier.name]
                meter.asked(left, entries)
                meter.latency.observe(self._clock.monotonic() - started)
            served = []
            for key, entry in (await self._without_gone(entries, now)).items():
                is_fresh = entry.is_fresh(now)
                each = Found(entry, tier.name, not is_fresh)
                if is_fresh or serves_expired:
                    found[key] = each
                    served.append(entry)
                elif key not in held or held[key].entry.fetched_at < entry.fetched_at:
                    held[key] = each
            if served:
                left = [key for key in left if key not in found]
                for above in self._tiers[:depth]:
                    await self._ask(above.put_many(served), above.name, None, trace)
        return found, held

    async def _without_gone(self, entries: dict[RecordKey, Entry], now: float) -> dict[RecordKey, Entry]:
        """Return the entries that the terms of their origins still allow to hold; drop the others."""
        limits = {o: origin.config.terms.storage_limit_s for o, origin in self._origins.items()}
        if not any(limits.values()):
            return entries
        gone = [key for key, entry in entries.items() if must_be_gone(entry.held_from, limits.get(key.origin), now)]
        if gone:
            await self.discard(gone)
        return {key: entry for key, entry in entries.items() if key not in gone}

    async def _ask(
        self, work: Awaitable[T], name: str, default: T, trace: Trace | None, *, timeout_s: float = TIER_TIMEOUT_S
    ) -> T:
        """Await a tier's answer; a tier that fails counts, and answers ``default``."""
        try:
            async with asyncio.timeout(timeout_s):
                answer = await work
        except (TierUnavailable, TimeoutError) as error:
            self._tier_errors += 1
            if trace is not None:
                trace.tier_errors += 1
            if name not in self._failing:  # one line for an outage, not one for each request
                self._failing.add(name)
                log.warning("tier skipped", tier=name, why=str(error) or f"no answer within {timeout_s:.1f} s")
            return default
        if name in self._failing:
            self._failing.discard(name)
            log.info("tier is back", tier=name)
        return answer

    async def _load_missing(
        self, left: Sequence[RecordKey], asking: _Asking, found: dict[RecordKey, Found]
    ) -> dict[RecordKey, WeedHoundsError]:
        """Load ``left`` from the origins into ``found``; return the errors of those that failed.

        A flight that somebody else started may end at that one's deadline: then it is started
        once more for those who can wait longer.
        """
        errors: dict[RecordKey, WeedHoundsError] = {}
        for is_last in (False, True):
            flights = self._board(left, asking, errors)
            if flights:
                timeout_s = self._time_left_s(asking.deadline)
                await self._flights.wait(set(flights.values()), timeout_s=timeout_s, trace=asking.trace)
            left = []
            for key, flight in flights.items():
                got = _outcome(flight, key)
                if isinstance(got, Entry):
                    found[key] = Found(got, "origin")
                elif not is_last and _may_fly_again(flight, got, asking.deadline):
                    left.append(key)
                else:
                    errors[key] = got
            if not left:
                break
        return errors

    def _board(
        self, keys: Sequence[RecordKey], asking: _Asking, errors: dict[RecordKey, WeedHoundsError]
    ) -> dict[RecordKey, Flight]:
        """Return the flight of each key, started where there is none; say in ``errors`` which have none."""
        flights: dict[RecordKey, Flight] = {}
        to_plan: dict[str, list[RecordKey]] = defaultdict(list)
        now = self._clock.now()
        for key in keys:
            flight, absent = self._flights.get(key), self._negative.get(key, now)
            if flight is not None:
                flights[key] = flight
            elif absent is not None:
                errors[key] = absent
                self._negative_served += 1
            else:
                to_plan[key.origin].append(key)
        for name, own in to_plan.items():
            origin = self._origins.get(name)
            if origin is None:
                errors.update((key, OriginRejected("origin not configured", str(key), name)) for key in own)
                continue
            for load in plan_loads(origin.source, own, asking.shops.get(name, {}), errors):
                flight = self._start(origin, load, asking)
                flights.update((key, flight) for key in load.keys if key not in flights)
            errors.update(
                (key, OriginRejected("the origin has no such record", str(key), name))
                for key in own
                if key not in flights and key not in errors
            )
        return flights

    def _start(self, origin: Origin, load: Load, asking: _Asking) -> Flight:
        held = {key: asking.held[key].entry for key in load.keys if key in asking.held}
        return self._flights.start(
            keys_of_flight(load, held),
            lambda flight: self._run(origin, load, flight, held),
            deadline=asking.deadline,
            payer=asking.trace,
        )

    async def _run(self, origin: Origin, load: Load, flight: Flight, held: Mapping[RecordKey, Entry]) -> Filling:
        """Do what a flight is for, unless another node of the same database has just done it."""
        if self._shared is None:
            return await self._fly(origin, load, flight, held)
        name = min(map(str, keys_of_flight(load, {})))  # the same for whatever of a menu is asked for
        async with self._shared.turn(name, load.keys, held, deadline=flight.deadline) as filled:
            if not filled:
                return await self._fly(origin, load, flight, held)
            for tier in self._tiers[:-1]:  # the last one is where it was found
                await self._ask(tier.put_many(list(filled.values())), tier.name, None, None)
            return filled

    async def _fly(self, origin: Origin, load: Load, flight: Flight, held: Mapping[RecordKey, Entry]) -> Filling:
        """Load, store, remember what is not there."""
        try:
            entries = await self._loader.run(origin, load, deadline=flight.deadline, payer=flight, held=held)
        except NotFound as error:
            for key in load.keys:
                self._negative.put(key, error, self._clock.now())
            raise
        except WeedHoundsError:
            raise
        except Exception as error:
            log.exception("load failed", origin=load.origin, what=load.what)
            raise OriginUnavailable(f"the load failed: {type(error).__name__}", origin=load.origin) from error
        await self.fill(list(entries.values()), replaced=held)
        return entries

    def _settle(
        self,
        result: ReadResult,
        errors: Mapping[RecordKey, WeedHoundsError],
        held: Mapping[RecordKey, Found],
        elapsed_s: float,
    ) -> None:
        """Serve what is held where its origin failed, within bounds; the rest is missing."""
        for key, error in errors.items():
            told = (
                located(error, origin=key.origin, key=str(key), elapsed_s=elapsed_s)
                if isinstance(error, SourceError)
                else error
            )
            stale = held.get(key)
            if stale is not None and not isinstance(error, NotFound) and self._may_serve(stale.entry):
                result.found[key] = stale
                result.stale_errors[key] = told
            else:
                result.missing[key] = told

    def _may_serve(self, entry: Entry) -> bool:
        origin = self._origins.get(entry.key.origin)
        return entry.pinned or may_serve_stale_on_error(
            entry.fetched_at,
            entry.expires_at,
            self._clock.now(),
            lifetime_s=max(0.0, entry.expires_at - entry.fetched_at),
            stale_if_error_frac=self._settings.stale_if_error_frac,
            storage_limit_s=origin.config.terms.storage_limit_s if origin else None,
        )

    def _pairs(self, entries: Iterable[Entry]) -> list[tuple[str, RecordKey]]:
        pairs: list[tuple[str, RecordKey]] = []
        for entry in entries:
            if entry.key.data_type in _WITHOUT_IDENTITY:
                continue
            try:
                pairs.extend((identity, entry.key) for identity in self._identities_of(entry.record))
            except CodecError:
                continue
        return pairs

    def _time_left_s(self, deadline: float | None) -> float:
        return LONGEST_WAIT_S if deadline is None else deadline - self._clock.monotonic()


class _Asking(msgspec.Struct, frozen=True):
    """What a request brings to its loads."""

    deadline: float | None
    trace: Trace
    shops: Mapping[str, Mapping[str, Shop]]
    held: dict[RecordKey, Found]


def _by_origin(shops: Mapping[tuple[str, str], Shop]) -> dict[str, dict[str, Shop]]:
    grouped: dict[str, dict[str, Shop]] = defaultdict(dict)
    for (origin, shop_id), shop in shops.items():
        grouped[origin][shop_id] = shop
    return grouped


def _outcome(flight: Flight, key: RecordKey) -> Entry | WeedHoundsError:
    """Return what a flight that was waited for came to for one key."""
    if not flight.task.done():
        return DeadlinePassed("deadline passed before the answer", str(key), key.origin)
    if flight.task.cancelled():
        return OriginUnavailable("the load was ended", str(key), key.origin)
    error = flight.task.exception()
    if isinstance(error, WeedHoundsError):
        return error
    if error is not None:
        raise error
    return flight.task.result().get(key) or NotFound("the origin gave no such record", str(key), key.origin)


def _may_fly_again(flight: Flight, error: WeedHoundsError, deadline: float | None) -> bool:
    is_of_time = isinstance(error, OriginUnavailable | RateLimited)
    return is_of_time and flight.ended_too_early_for(None if deadline is None else deadline - _DEADLINE_SLACK_S)
