"""The read path: tiers in order, then the origins, one load of a key at a time.

A read strategy (:mod:`weedhounds.strategies`) says in which order the tiers are asked. What one holds
fresh is served and copied up; what has expired a moment
ago is served and fetched anew beside; what is missing or expired for longer is loaded from its
origin, stored in every tier and served; where the origin fails, an expired entry is served within
bounds and said to be stale. The read path never learns which backend a tier is, and a tier that
fails is skipped.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random
from typing import TypeVar

from weedhounds.cache.entry import Entry
from weedhounds.cache.freshness import may_serve_stale_on_error, may_serve_while_revalidating
from weedhounds.cache.identity import IdentityStore
from weedhounds.cache.lease import SharedLoads
from weedhounds.cache.meter import DirectHits, Outcome, RequestMeter, TierMeter
from weedhounds.cache.negative import NegativeEntries
from weedhounds.cache.recorder import PriceObserver
from weedhounds.cache.tier import Tier, TierStats
from weedhounds.clock import Clock
from weedhounds.config import CacheSettings
from weedhounds.errors import (
    CodecError,
    NotFound,
    OriginRejected,
    OriginUnavailable,
    SourceError,
    WeedHoundsError,
)
from weedhounds.flight import Filling, Flight, Flights
from weedhounds.learning import Learning, fixed_learning
from weedhounds.loader import Loader, Origin, keys_of_flight, plan_loads
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Body, PriceList, Shop
from weedhounds.reads import Asking, ReadResult, ReadStats, by_origin
from weedhounds.sources.base import Load
from weedhounds.sources.fetch import located
from weedhounds.strategies import Found, ReadStrategy, TierGuard, TierLookup
from weedhounds.strategies.local_first import LocalFirst
from weedhounds.telemetry import Trace, get_logger

__all__ = ["Found", "Origin", "ReadResult", "ReadStats", "ReadThrough", "Trace"]

LONGEST_WAIT_S = 180.0
"""How long a request without a deadline waits."""
REVALIDATION_S = 30.0
"""How long a load may take that nobody waits for."""
MAX_REVALIDATING = 4096
"""Keys fetched anew while their expired entries are served; beyond it requests wait for the load."""
_WITHOUT_IDENTITY = frozenset({DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.PROMOTIONS})
"""Found by their shop: decoding them for an index would be for nothing."""

T = TypeVar("T")
log = get_logger("weedhounds.readthrough")


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
        direct_hits: tells the requests that the first tier answered without the read path.
        learning: decides lifetimes and learns from every load; without it they are fixed by data type.
        demand: told of the keys of every request that comes here.
        shared: makes the nodes that share the last tier load each thing once; ``None`` for a node alone.
        strategy: plans in which order the tiers are asked; default ``local_first``.
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
        direct_hits: DirectHits | None = None,
        learning: Learning | None = None,
        demand: Callable[[Sequence[RecordKey]], None] | None = None,
        shared: SharedLoads | None = None,
        strategy: ReadStrategy | None = None,
        rng: Random | None = None,
    ) -> None:
        self._shared = shared
        self._tiers = tuple(tiers)
        self._origins = origins
        self._clock = clock
        self._settings = settings
        self._index = index
        self._identities_of = identities_of
        self._learning = learning or fixed_learning(settings, clock)
        self._demand = demand
        self._loader = Loader(self._learning, rng or Random())
        self._flights = Flights()
        self._negative = NegativeEntries()
        self._history = history
        self._meters = {tier.name: TierMeter(None if depth else direct_hits) for depth, tier in enumerate(self._tiers)}
        self._requests = RequestMeter(direct_hits)
        self._negative_served = 0
        self._revalidated = 0
        self._revalidating: dict[RecordKey, asyncio.Task[None]] = {}
        self._strategy = strategy or LocalFirst()
        self._guard = TierGuard(self._meters, clock)
        self._lookup = TierLookup(
            self._tiers,
            self._strategy,
            clock=clock,
            guard=self._guard,
            meters=self._meters,
            limits={o: origin.config.terms.storage_limit_s for o, origin in origins.items()},
        )

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
        asking = Asking(deadline, trace, by_origin(shops or {}), {})
        result = ReadResult({}, {}, {})
        if not offline:
            self._learning.asked(wanted)
            if self._demand is not None:
                self._demand(wanted)
        try:
            await self._read(wanted, asking, result, offline=offline)
        finally:
            self._count(wanted, result)
        for key in wanted:
            if key in result.found:
                trace.found(result.found[key].tier)
        return result

    async def _read(self, wanted: Sequence[RecordKey], asking: Asking, result: ReadResult, *, offline: bool) -> None:
        """Find or load every wanted key, into ``result``."""
        started = self._clock.monotonic()
        trace, deadline = asking.trace, asking.deadline
        landing = self._flights.landings
        until = None if offline else deadline
        found, held = await self._lookup.look_up(wanted, trace, deadline=until, serves_expired=offline)
        result.found.update(found)
        left = [key for key in wanted if key not in found]
        if late := self._flights.landed_since(left, landing):  # filled while the tiers were being asked
            again, _ = await self._lookup.look_up(late, trace, deadline=until, serves_expired=offline, is_counted=False)
            result.found.update(again)
            left = [key for key in left if key not in again]
        if offline:
            result.missing.update((key, NotFound("not held here", str(key), key.origin)) for key in left)
        elif left:
            asking.held.update(held)
            waiting = self._serve_while_revalidating(left, asking, result)
            errors = await self._load(waiting, asking, result)
            self._settle(result, errors, asking.held, self._clock.monotonic() - started)

    async def _load(
        self, waiting: Sequence[RecordKey], asking: Asking, result: ReadResult
    ) -> dict[RecordKey, WeedHoundsError]:
        """Load what nobody had; of what the origins do not give, look in the tiers that the plan left out."""
        errors = await self._load_missing(waiting, asking, result.found)
        if forgone := [key for key in errors if key not in asking.held]:
            found, held = await self._lookup.look_up_forgone(forgone, asking.trace, deadline=asking.deadline)
            result.found.update(found)
            asking.held.update(held)
            errors = {key: error for key, error in errors.items() if key not in found}
        return errors

    async def held_many(self, keys: Iterable[RecordKey]) -> dict[RecordKey, Found]:
        """Return what the tiers hold of ``keys``, expired or not; nobody's request is counted."""
        wanted = tuple(dict.fromkeys(keys))
        held, _ = await self._lookup.look_up(wanted, serves_expired=True, is_counted=False)
        return held

    async def refresh_many(
        self,
        keys: Iterable[RecordKey],
        *,
        deadline: float | None,
        trace: Trace,
        shops: Mapping[tuple[str, str], Shop] | None = None,
    ) -> ReadResult:
        """Load ``keys`` from their origins although they may be held fresh; nobody's request is counted.

        A load that runs already is joined. What fails stays as it was, and is in ``missing``.

        Args:
            deadline: monotonic seconds.
            trace: the calls are counted there.
            shops: as for :meth:`get_many`.
        """
        wanted = tuple(dict.fromkeys(keys))
        held = await self.held_many(wanted)
        result = ReadResult({}, {}, {})
        asking = Asking(deadline, trace, by_origin(shops or {}), held)
        errors = await self._load_missing(wanted, asking, result.found)
        result.missing.update(errors)
        return result

    def _serve_while_revalidating(
        self, left: Sequence[RecordKey], asking: Asking, result: ReadResult
    ) -> Sequence[RecordKey]:
        """Serve what has expired a moment ago, and have it fetched anew; return the keys to be waited for."""
        now, frac = self._clock.now(), self._settings.stale_while_revalidate_frac
        served = [
            key
            for key in left
            if (old := asking.held.get(key)) is not None
            and may_serve_while_revalidating(
                old.entry.expires_at,
                now,
                lifetime_s=old.entry.lifetime_s,
                stale_while_revalidate_frac=frac,
            )
        ]
        if not served or len(self._revalidating) + len(served) > MAX_REVALIDATING:
            return left
        result.found.update((key, asking.held[key]) for key in served)
        self._revalidated += len(served)
        new = [key for key in served if key not in self._revalidating]
        if new:
            task = asyncio.create_task(self._revalidate(new, asking), name="revalidation")
            self._revalidating.update(dict.fromkeys(new, task))
        return [key for key in left if key not in result.found]

    async def _revalidate(self, keys: Sequence[RecordKey], asking: Asking) -> None:
        """Load what was served expired; its calls are no request's."""
        deadline = self._clock.monotonic() + REVALIDATION_S
        held = {key: asking.held[key] for key in keys}
        try:
            errors = await self._load_missing(keys, Asking(deadline, Trace(), asking.shops, held), {})
            for key, error in errors.items():
                log.debug("not fetched anew", key=str(key), why=str(error))
        finally:
            for key in keys:
                self._revalidating.pop(key, None)

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
            await self._guard.put(tier, entries, trace)
        for entry in entries:
            self._negative.discard(entry.key)
        if self._index is not None:
            pairs = await asyncio.to_thread(self._pairs, entries)
            if pairs:
                await self._guard.ask(self._index.add_many(pairs), "identities", None, trace)

    def observe_part(self, key: RecordKey, prices: PriceList, at: float, old: Entry | None = None) -> None:
        """Tell the history of prices that are perhaps not all of the shop's, given at ``at`` (Unix seconds)."""
        if self._history is not None:
            self._history.observe_part(key, prices, at, old)

    async def discard(self, keys: Collection[RecordKey]) -> None:
        """Remove the keys from every tier: their entries are damaged, or must be gone."""
        for tier in self._tiers:
            await self._guard.ask(tier.discard(keys), tier.name, 0, None)

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
            revalidated=self._revalidated,
            tier_errors=self._guard.errors,
            strategy=self._strategy.name,
            asked_first=dict(self._lookup.asked_first),
            breakers={name: state.value for name, state in self._guard.states().items()},
        )

    def tier_stats(self) -> dict[str, TierStats]:
        """Return the figures of each tier, with what was asked of it, by data type too."""
        return {tier.name: self._meters[tier.name].over(tier.stats()) for tier in self._tiers}

    async def close(self) -> None:
        """End the loads in flight; the tiers stay open."""
        tasks = set(self._revalidating.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._flights.close()

    async def _load_missing(
        self, left: Sequence[RecordKey], asking: Asking, found: dict[RecordKey, Found]
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
                got = flight.outcome(key)
                if isinstance(got, Entry):
                    found[key] = Found(got, "origin")
                elif not is_last and flight.is_worth_another(got, asking.deadline):
                    left.append(key)
                else:
                    errors[key] = got
            if not left:
                break
        return errors

    def _board(
        self, keys: Sequence[RecordKey], asking: Asking, errors: dict[RecordKey, WeedHoundsError]
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

    def _start(self, origin: Origin, load: Load, asking: Asking) -> Flight:
        held = {key: asking.held[key].entry for key in load.keys if key in asking.held}
        shop = asking.shops.get(load.origin, {}).get(load.shop_id or "")
        return self._flights.start(
            keys_of_flight(load, held),
            lambda flight: self._run(origin, load, flight, held, shop),
            deadline=asking.deadline,
            payer=asking.trace,
        )

    async def _run(
        self, origin: Origin, load: Load, flight: Flight, held: Mapping[RecordKey, Entry], shop: Shop | None
    ) -> Filling:
        """Do what a flight is for, unless another node of the same database has just done it."""
        if self._shared is None:
            return await self._fly(origin, load, flight, held, shop)
        name = min(map(str, keys_of_flight(load, {})))  # the same for whatever of a menu is asked for
        async with self._shared.turn(name, load.keys, held, deadline=flight.deadline) as filled:
            if not filled:
                return await self._fly(origin, load, flight, held, shop)
            for tier in self._tiers[:-1]:  # the last one is where it was found
                await self._guard.put(tier, list(filled.values()), None)
            return filled

    async def _fly(
        self, origin: Origin, load: Load, flight: Flight, held: Mapping[RecordKey, Entry], shop: Shop | None
    ) -> Filling:
        """Load, store, remember what is not there."""
        started = self._clock.monotonic()
        try:
            entries = await self._loader.run(origin, load, deadline=flight.deadline, payer=flight, held=held, shop=shop)
        except NotFound as error:
            for key in load.keys:
                self._negative.put(key, error, self._clock.now())
            raise
        except WeedHoundsError:
            self._learning.failed(load.keys, shop)
            self._lookup.loaded(load.keys, (), self._clock.monotonic() - started)
            raise
        except Exception as error:
            log.exception("load failed", origin=load.origin, what=load.what)
            raise OriginUnavailable(f"the load failed: {type(error).__name__}", origin=load.origin) from error
        self._lookup.loaded(load.keys, entries, self._clock.monotonic() - started)
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
            lifetime_s=max(entry.lifetime_s, self._learning.lifetimes.base_of(entry.key.data_type)),
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
