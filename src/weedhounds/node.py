"""The composition root: builds a node's parts, starts them in order, drains and stops them.

The only place where tiers, origins, read path and queries are wired together.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TypeVar

import msgspec
from yarl import URL

from weedhounds import sources
from weedhounds.bulk import Importer, ImportOptions, ImportReport
from weedhounds.cache.address import Address, SqliteAddress, parse_address
from weedhounds.cache.database import Database, database_of
from weedhounds.cache.demand import PendingDemand
from weedhounds.cache.entry import Entry
from weedhounds.cache.history import HistoryStore
from weedhounds.cache.identity import IdentityStore, TolerantIndex
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.purge import PurgeWatch, Scope
from weedhounds.cache.recorder import HistoryRecorder, HistoryStats
from weedhounds.cache.rendered import Rendered
from weedhounds.cache.sqlite_file import SWITCH_INTERVAL_S
from weedhounds.cache.tier import Tier, TierStats
from weedhounds.clock import Clock, SystemClock
from weedhounds.collecting import IdleCollector
from weedhounds.config import Settings, load_settings
from weedhounds.errors import BadInput, ConfigError, NotFound, OriginUnavailable, SourceError, TierUnavailable
from weedhounds.hits import Hits
from weedhounds.learning import LearningStats, learning_of
from weedhounds.learning_file import FILE_NAME, LearnerFile
from weedhounds.model.datatypes import DataType, Lifetime
from weedhounds.model.keys import RecordKey
from weedhounds.origins import (
    SandboxClock,
    SandboxTerms,
    live_origins,
    refresh_budget_per_day,
    sandbox_origins,
    scaled_clock,
)
from weedhounds.query.answer import DispensariesAnswer, HuntAnswer, RecordAnswer, StrainAnswer
from weedhounds.query.hunt import MAX_DEADLINE_S, Hunter
from weedhounds.query.identity import identities_of
from weedhounds.query.offers import provenance_of
from weedhounds.query.places import Gazetteer
from weedhounds.query.pricehistory import HistoryRequest, PriceHistory, price_history
from weedhounds.query.rendering import record_answer
from weedhounds.readthrough import Found, Origin, ReadStats, ReadThrough
from weedhounds.sources.base import Call, Kind, OriginConfig
from weedhounds.sources.fetch import Fetcher, OriginClient, OriginStats
from weedhounds.strategies import STRATEGIES, Group, Prices
from weedhounds.telemetry import Counters, Trace, get_logger
from weedhounds.ttl.decide import StrategyName
from weedhounds.ttl.learner import Insight
from weedhounds.warming import OriginState, ReadsOfShops, Refresher, RefreshOptions, RefreshStats, origin_state
from weedhounds.workers.pool import ParsePool, PoolStats

DATABASE_FILE = "weedhounds.sqlite3"
SETTLE_S = 2.0
"""How long a question for prices over time waits until what was just observed is in the history."""
T = TypeVar("T")
log = get_logger("weedhounds.node")


class NodeStats(msgspec.Struct, frozen=True, kw_only=True):
    """The live figures of a node; every count grows from its start."""

    uptime_s: float
    read: ReadStats
    tiers: dict[str, TierStats]
    origins: dict[str, OriginStats]
    learning: LearningStats
    refresh: RefreshStats
    history: HistoryStats
    pool: PoolStats
    counters: dict[str, int]


class Node:
    """A node in this process: ``async with Node(settings) as node: await node.hunt(...)``.

    Args:
        settings: default: file and environment (:func:`weedhounds.config.load_settings`).
        clock: the time of facts; default the machine's, or the sandbox's by ``clock.source``.

    ``hit`` returns the answer that :meth:`record` gives, as bytes and without waiting, where the node is
    ready and has the record fresh in memory; else ``None``. An age told in it may be ``REUSE_S`` too low.

    Example::

        async with Node() as node:
            answer = await node.hunt("Blue Dream", near="Denver, CO")
    """

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
        self.settings = settings or load_settings()
        self.clock: Clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._counters = Counters()
        self._collector = IdleCollector(SystemClock())
        self._is_ready = False
        self.hit: Callable[[str], Rendered | None] = _no_hit
        self._started_s = 0.0

    async def __aenter__(self) -> Node:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        self._is_ready = True
        self.hit = self._hits.answer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ready = False
        self.hit = _no_hit
        await self._stack.aclose()

    async def _start(self) -> None:
        """Build and start the parts; what has started is stopped again in reverse order."""
        settings = self.settings
        sys.setswitchinterval(SWITCH_INTERVAL_S)  # of the whole process: else a busy loop starves the SQL threads
        configs = await self._origin_configs()
        tiers, index = await self._tiers()
        await self._start_learning(configs)
        demand: PendingDemand[RecordKey] = PendingDemand(also=self._memory.drain_served)
        recorder = self._recorder = HistoryRecorder(
            self._history, clock=self.clock, retention_s=settings.history.retention_s
        )
        recorder.start()
        self._stack.push_async_callback(recorder.close)
        self._read = ReadThrough(
            tiers=tiers,
            origins=await self._origins(configs),
            clock=self.clock,
            settings=settings.cache,
            index=index,
            identities_of=identities_of,
            history=recorder if settings.history.enabled else None,
            direct_hits=self._memory.direct_hits,
            learning=self._learning,
            demand=demand.asked if settings.cache.refresh_ahead else None,
            shared=self._database.loads,
            strategy=STRATEGIES[settings.cache.read_strategy](Prices(call_s=self._call_worth_s)),
        )
        self._stack.push_async_callback(self._read.close)
        limits = {o: config.terms.storage_limit_s for o, config in configs.items()}
        self._hits = Hits(self._memory, self.clock, limits, self._learning.stale_probability)
        self._hunter = Hunter(
            self._read,
            index,
            origins={o: frozenset(sources.source_class(o).info().data_types) for o in configs},
            stale_probability=self._learning.stale_probability,
            gazetteer=await asyncio.to_thread(Gazetteer.load),
            clock=self.clock,
            settings=settings.hunt,
        )
        self._stack.callback(self._hunter.close)
        self._start_refreshing(demand)
        self._started_s = self.clock.monotonic()
        self._collector.start()
        self._stack.callback(self._collector.close)

    async def _start_learning(self, configs: Mapping[str, OriginConfig]) -> None:
        """Take up what was learnt of lifetimes, and go on learning."""
        settings = self.settings
        learner = LearnerFile(settings.data_dir / FILE_NAME, price=settings.cache.call_price)
        self._learning = learning_of(
            settings.cache,
            clock=self.clock,
            learner=await learner.open(),
            budgets=_refresh_budgets(configs),
            served=self._memory.take_served,
        )
        self._memory.departed = self._learning.departed
        self._stack.push_async_callback(learner.close)

    async def _origins(self, configs: Mapping[str, OriginConfig]) -> dict[str, Origin]:
        """Start the HTTP client and the job processes; return the origins that they serve."""
        settings = self.settings.fetch
        fetcher = await self._stack.enter_async_context(Fetcher(settings, self.clock))
        pool = self._pool = await self._stack.enter_async_context(
            ParsePool(settings.pool_workers, inline_bytes=settings.inline_parse_bytes)
        )
        self._clients = {o: OriginClient(config, fetcher, self._counters) for o, config in configs.items()}
        return {
            o: Origin(source=sources.source_class(o)(config), client=self._clients[o], pool=pool)
            for o, config in configs.items()
        }

    def _start_refreshing(self, demand: PendingDemand[RecordKey]) -> None:
        """Keep what is wanted most from expiring, where the settings say so."""
        settings = self.settings
        self._refresher = Refresher(
            ReadsOfShops(self._read, self._hunter.shops_held),
            drain=demand.drain,
            entry_of=self._held_entry,
            origins=self._origin_states,
            clock=self.clock,
            rng=Random(),
            options=RefreshOptions(
                keys=settings.cache.refresh_keys, window_frac=settings.cache.stale_while_revalidate_frac
            ),
            stale_probability=self._learning.stale_probability,
        )
        if settings.cache.refresh_ahead:
            self._refresher.start()
        self._stack.push_async_callback(self._refresher.close)

    def _call_worth_s(self, group: Group) -> float:
        """Return how long a reader should wait to spare a call to the group's origin, seconds."""
        return self.settings.cache.call_wait_s * self._learning.price(group.origin)

    def _held_entry(self, key: RecordKey) -> Entry | None:
        held = self._memory.find(key)
        return None if held is None else held.value

    def _origin_states(self) -> dict[str, OriginState]:
        return {
            origin: origin_state(client.stats(), client.config.budget, price=self._learning.price(origin))
            for origin, client in self._clients.items()
        }

    async def _origin_configs(self) -> dict[str, OriginConfig]:
        """Return the origins to ask: live ones, or those of the sandbox as it describes itself."""
        settings = self.settings
        if settings.sandbox_url is None:
            if settings.clock.source == "sandbox":
                raise ConfigError("setting clock.source: sandbox needs a sandbox_url")
            return live_origins(settings)
        terms = await self._ask_sandbox("/_sandbox/terms", dict[str, SandboxTerms])
        if settings.clock.source == "sandbox":
            self.clock = scaled_clock(await self._ask_sandbox("/_sandbox/clock", SandboxClock))
        return sandbox_origins(settings, terms)

    async def _ask_sandbox(self, path: str, type_: type[T]) -> T:
        base = (self.settings.sandbox_url or "").rstrip("/")
        async with Fetcher(self.settings.fetch, SystemClock()) as fetcher:
            try:
                async with asyncio.timeout(self.settings.fetch.timeout_s):
                    reply = await fetcher.exchange(URL(base + path), Call(kind=Kind.LICENCES, path=path), {}, Trace())
                return msgspec.json.decode(reply.body, type=type_)
            except (SourceError, TimeoutError, ValueError) as error:
                raise OriginUnavailable(f"no sandbox answers at {base}: {error}") from error

    async def _tiers(self) -> tuple[list[Tier], IdentityStore]:
        settings = self.settings
        database = self._database = database_for(settings, self.clock)
        self._stack.push_async_callback(self._close_database)
        try:
            await database.open()
        except TierUnavailable as error:
            if not database.is_tried_again:
                raise
            log.warning("starting without the database", why=str(error))
        self._memory = MemoryTier(settings.cache.memory_bytes)
        self._history: HistoryStore = database.history
        watch = PurgeWatch(database.new_purges, self._let_go)
        watch.start()
        self._stack.push_async_callback(watch.close)
        return [self._memory, database.tier], TolerantIndex(database.identities)

    async def _close_database(self) -> None:
        """Commit what waits; what cannot be committed any more is told, and costs no answer that was given."""
        try:
            await self._database.close()
        except TierUnavailable as error:
            log.error("the database was left in haste", why=str(error))

    async def _let_go(self, scope: Scope, moment: float) -> None:
        """Let go in memory of what was purged, by this or another node, and fetched up to ``moment`` (Unix seconds).

        A purge of more than a key empties the memory tier: what is left of it is a read of SQL away.
        """
        if scope.kind != "key":
            await self._memory.close()
            return
        held = await self._memory.get_many([RecordKey.parse(scope.value)])
        await self._memory.discard([key for key, entry in held.items() if entry.held_from <= moment])

    @property
    def is_ready(self) -> bool:
        """Tell whether the node has started and is not stopping."""
        return self._is_ready

    async def hunt(
        self,
        query: str = "",
        *,
        near: str,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        offline: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> HuntAnswer:
        """Answer the main question: every offer near a place, from every origin, by the deadline.

        Args:
            query: strain, product, brand, category or terpene; empty for everything.
            near: a city ("Denver, CO"), a ZIP code or "lat,lon".
            radius_km: 0..500; default ``hunt.radius_km``.
            deadline_s: over 0, at most 120; default ``hunt.deadline_s``.
            limit: most offers in the answer; default all.
            cursor: ``meta.next_cursor`` of the page before.
            offline: ask the tiers alone, and serve what they hold however old it is.
            progress: called with (loads done, loads known).

        Raises:
            BadInput: the question cannot be asked as it stands.
        """
        request = self._hunter.request(
            query, near, radius_km=radius_km, deadline_s=deadline_s, limit=limit, cursor=cursor, offline=offline
        )
        with self._collector.working():
            return await self._hunter.hunt(request, progress=progress)

    async def dispensaries(
        self,
        near: str,
        *,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        offline: bool = False,
    ) -> DispensariesAnswer:
        """Return the shops near a place, nearest first, merged over the origins.

        Raises:
            BadInput: the question cannot be asked as it stands.
        """
        request = self._hunter.request(
            "", near, radius_km=radius_km, deadline_s=deadline_s, limit=limit, cursor=cursor, offline=offline
        )
        with self._collector.working():
            return await self._hunter.dispensaries(request)

    async def get(
        self, key: str, *, deadline_s: float | None = None, offline: bool = False, trace: Trace | None = None
    ) -> Entry | None:
        """Return one record's entry, whose ``.record`` decodes on first use; ``None`` where nobody has it.

        What the memory tier holds fresh is returned without waiting for anything.

        Args:
            trace: what the request costs is counted there.

        Raises:
            BadInput: not a key, or a key that no origin here can fill.
            SourceError: the origin failed and nothing servable is held.
        """
        if deadline_s is not None:
            self._deadline_s(deadline_s)
        entry = self._hits.entry(key)
        if entry is not None:
            if trace is not None:
                trace.found("memory")
            return entry
        found = await self._lookup(key, deadline_s=deadline_s, offline=offline, trace=trace)
        return found.entry if found is not None else None

    async def record(self, key: str, *, deadline_s: float | None = None, offline: bool = False) -> RecordAnswer | None:
        """Return one record with its provenance; ``None`` where nobody has it. Raises as :meth:`get`."""
        if deadline_s is not None:
            self._deadline_s(deadline_s)
        entry = self._hits.entry(key)
        if entry is not None:
            found: Found | None = Found(entry, "memory")
        else:
            found = await self._lookup(key, deadline_s=deadline_s, offline=offline)
        if found is None:
            return None
        now = self.clock.now()
        provenance = provenance_of(found, now, self._learning.stale_probability(found.entry, now))
        return record_answer(found.entry, provenance, is_stale=not found.entry.is_fresh(now))

    def insight(self, key: str) -> tuple[StrategyName, Lifetime, Insight | None]:
        """Return how lifetimes of a key are chosen, within which limits, and what the learner believes of it.

        Raises:
            BadInput: not a key.
        """
        parsed = RecordKey.parse(key)
        lifetimes = self._learning.lifetimes
        limits = lifetimes.limits_of(parsed.data_type)
        chosen = Lifetime(lifetimes.base_of(parsed.data_type), limits.min_s, limits.max_s)
        believed = lifetimes.learner.insight(str(parsed), self.clock.now())
        return lifetimes.strategy_of(parsed.data_type), chosen, believed

    async def price_history(
        self,
        key: str,
        *,
        since: float = 0.0,
        product_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> PriceHistory | None:
        """Return how the prices and stock of one shop changed, as this node saw it; ``None`` where it never did.

        No origin is asked. What was fetched before the question is in the answer.

        Args:
            key: a ``product_pricing`` key.
            since: Unix seconds; what was in force then is told too.
            product_id: native id of one product; default all.
            limit: 1..1,000 points; default 1,000.
            cursor: ``next_cursor`` of the page before.

        Raises:
            BadInput: the question cannot be asked as it stands.
            TierUnavailable: the history cannot be read.
        """
        parsed = RecordKey.parse(key)
        if parsed.data_type is not DataType.PRODUCT_PRICING:
            raise BadInput(f"prices over time need a product_pricing key, not {parsed}", key=key)
        request = HistoryRequest.of(parsed, since, product_id=product_id, limit=limit, cursor=cursor)
        await self._recorder.settle(SETTLE_S)
        client = self._clients.get(parsed.origin)
        return await price_history(
            self._history, request, attribution=client.config.terms.attribution if client else None
        )

    async def strain(self, slug: str, *, deadline_s: float | None = None, offline: bool = False) -> StrainAnswer | None:
        """Return what origins and registries say of a strain; ``None`` where nobody knows it.

        Raises:
            BadInput: the name has no letters or digits.
            SourceError: every origin failed and nothing is held.
        """
        return await self._hunter.strain(slug, deadline_s=self._deadline_s(deadline_s), offline=offline)

    async def import_files(
        self,
        origin: str,
        paths: Sequence[Path],
        options: ImportOptions | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> ImportReport:
        """Put recorded answers of ``origin`` into the tiers; see :mod:`weedhounds.bulk`.

        Raises:
            BadInput: unknown origin.
        """
        terms = sources.source_class(origin).info().live.terms
        importer = Importer(self._read, origin, terms, options or ImportOptions(), clock=self.clock)
        return await importer.run(paths, progress=progress)

    async def _lookup(
        self, text: str, *, deadline_s: float | None, offline: bool, trace: Trace | None = None
    ) -> Found | None:
        key = RecordKey.parse(text)
        if key.origin not in self._clients and not offline:
            raise BadInput(f"origin {key.origin!r} is not configured here", key=text, origin=key.origin)
        trace = trace or Trace()
        deadline = self.clock.monotonic() + self._deadline_s(deadline_s)
        shops = {} if offline else await self._hunter.known_shop(key, trace=trace)
        result = await self._read.get_many([key], deadline=deadline, trace=trace, shops=shops, offline=offline)
        error = result.missing.get(key)
        if error is not None and not offline and not isinstance(error, NotFound):
            raise error
        return result.found.get(key)

    async def purge(self, scopes: Sequence[Scope], why: str = "") -> int:
        """Remove keys, all of an origin or data type, or everything, from tiers, identity index and price history.

        What was fetched before is kept out, also where another node of the database writes it late;
        those nodes let go of it in memory within seconds.

        Args:
            scopes: for example ``Scope.of_key(key)``, ``Scope("origin", "leafly")``, ``Scope("all")``.
            why: noted with the purge.

        Returns:
            How many entries the SQL tier held.

        Raises:
            TierUnavailable: it may not have been done as a whole; doing it again does no harm.
        """
        removed = await self._database.purge(scopes, why)
        for scope in scopes:
            await self._let_go(scope, self.clock.now())
        return removed

    def _deadline_s(self, deadline_s: float | None) -> float:
        chosen = self.settings.hunt.deadline_s if deadline_s is None else deadline_s
        if not 0 < chosen <= MAX_DEADLINE_S:
            raise BadInput(f"deadline_s must be over 0 and at most {MAX_DEADLINE_S:g}, not {chosen:g}")
        return chosen

    def stats(self) -> NodeStats:
        """Return the live figures of read path, tiers, origins, history and job processes."""
        return NodeStats(
            uptime_s=round(self.clock.monotonic() - self._started_s, 3),
            read=self._read.stats(),
            tiers=self._read.tier_stats(),
            origins={origin: client.stats() for origin, client in self._clients.items()},
            learning=self._learning.stats(),
            refresh=self._refresher.stats(),
            history=self._recorder.stats(),
            pool=self._pool.stats(),
            counters=self._counters.snapshot(),
        )


def _refresh_budgets(configs: Mapping[str, OriginConfig]) -> dict[str, float]:
    """Return how many calls a day each origin's budget has for keeping records fresh."""
    budgets = {origin: refresh_budget_per_day(config) for origin, config in configs.items()}
    return {origin: budget for origin, budget in budgets.items() if budget is not None and budget > 0.0}


def _no_hit(_: str) -> None:
    """Have nothing ready: what a node that is not ready answers at once."""


def database_address(settings: Settings) -> Address:
    """Return where the SQL tier is: ``database.url``, else a file in the data folder.

    Raises:
        ConfigError: ``database.url`` is no address.
    """
    url = settings.database.url
    return SqliteAddress(settings.data_dir / DATABASE_FILE) if url is None else parse_address(url)


def database_for(settings: Settings, clock: Clock) -> Database:
    """Return the database that the settings name, not opened yet.

    Raises:
        ConfigError: ``database.url`` is no address.
    """
    return database_of(
        database_address(settings),
        clock=clock,
        busy_timeout_s=settings.database.busy_timeout_s,
        write_behind_s=settings.cache.write_behind_s,
        timeout_s=settings.database.timeout_s,
        pool_size=settings.database.pool_size,
        max_bytes=settings.database.max_bytes,
        stale_if_error_frac=settings.cache.stale_if_error_frac,
    )


def database_path(settings: Settings) -> Path:
    """Return the file of the SQL tier.

    Raises:
        ConfigError: ``database.url`` is no SQLite address.
    """
    address = database_address(settings)
    if not isinstance(address, SqliteAddress):
        raise ConfigError(f"setting database.url: not a SQLite address (sqlite:///PATH): {address.place}")
    return address.path
