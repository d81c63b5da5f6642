"""The composition root: builds a node's parts, starts them in order, drains and stops them.

The only place where tiers, origins, read path and queries are wired together.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec
from yarl import URL

from weedhounds import sources
from weedhounds.bulk import Importer, ImportOptions, ImportReport
from weedhounds.cache.entry import Entry
from weedhounds.cache.identity import IdentityIndex
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.sql import SqliteTier
from weedhounds.cache.sqlite_file import SWITCH_INTERVAL_S
from weedhounds.cache.tier import Tier, TierStats
from weedhounds.clock import Clock, SystemClock
from weedhounds.config import Settings, load_settings
from weedhounds.errors import BadInput, ConfigError, NotFound, OriginUnavailable, SourceError
from weedhounds.model.keys import RecordKey
from weedhounds.origins import SandboxClock, SandboxTerms, live_origins, sandbox_origins, scaled_clock
from weedhounds.query.answer import DispensariesAnswer, HuntAnswer, RecordAnswer, StrainAnswer
from weedhounds.query.hunt import MAX_DEADLINE_S, Hunter
from weedhounds.query.identity import identities_of
from weedhounds.query.offers import provenance_of
from weedhounds.query.places import Gazetteer
from weedhounds.readthrough import Found, Origin, ReadStats, ReadThrough
from weedhounds.sources.base import Call, Kind, OriginConfig
from weedhounds.sources.fetch import Fetcher, OriginClient, OriginStats
from weedhounds.telemetry import Counters, Trace
from weedhounds.workers.pool import ParsePool

DATABASE_FILE = "weedhounds.sqlite3"
T = TypeVar("T")


class NodeStats(msgspec.Struct, frozen=True, kw_only=True):
    """The live figures of a node; every count grows from its start."""

    uptime_s: float
    tiers: dict[str, TierStats]
    origins: dict[str, OriginStats]
    read: ReadStats
    counters: dict[str, int]


class Node:
    """A node in this process: ``async with Node(settings) as node: await node.hunt(...)``.

    Args:
        settings: default: file and environment (:func:`weedhounds.config.load_settings`).
        clock: the time of facts; default the machine's, or the sandbox's by ``clock.source``.

    Example::

        async with Node() as node:
            answer = await node.hunt("Blue Dream", near="Denver, CO")
    """

    def __init__(self, settings: Settings | None = None, *, clock: Clock | None = None) -> None:
        self.settings = settings or load_settings()
        self.clock: Clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._counters = Counters()
        self._is_ready = False
        self._started_s = 0.0

    async def __aenter__(self) -> Node:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        self._is_ready = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ready = False
        await self._stack.aclose()

    async def _start(self) -> None:
        """Build and start the parts; what has started is stopped again in reverse order."""
        settings = self.settings
        sys.setswitchinterval(SWITCH_INTERVAL_S)  # of the whole process: else a busy loop starves the SQL threads
        configs = await self._origin_configs()
        tiers, index = await self._tiers()
        fetcher = await self._stack.enter_async_context(Fetcher(settings.fetch, self.clock))
        pool = await self._stack.enter_async_context(
            ParsePool(settings.fetch.pool_workers, inline_bytes=settings.fetch.inline_parse_bytes)
        )
        self._clients = {o: OriginClient(config, fetcher, self._counters) for o, config in configs.items()}
        origins = {
            o: Origin(source=sources.source_class(o)(config), client=self._clients[o], pool=pool)
            for o, config in configs.items()
        }
        self._read = ReadThrough(
            tiers=tiers,
            origins=origins,
            clock=self.clock,
            settings=settings.cache,
            index=index,
            identities_of=identities_of,
        )
        self._stack.push_async_callback(self._read.close)
        self._hunter = Hunter(
            self._read,
            index,
            origins={o: frozenset(sources.source_class(o).info().data_types) for o in configs},
            gazetteer=await asyncio.to_thread(Gazetteer.load),
            clock=self.clock,
            settings=settings.hunt,
        )
        self._stack.callback(self._hunter.close)
        self._started_s = self.clock.monotonic()
        gc.collect()
        gc.freeze()  # code and gazetteers stay for good: full collections need not walk them (50 ms during hunts)

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

    async def _tiers(self) -> tuple[list[Tier], IdentityIndex]:
        settings = self.settings
        sql = SqliteTier(
            database_path(settings),
            clock=self.clock,
            busy_timeout_s=settings.database.busy_timeout_s,
            write_behind_s=settings.cache.write_behind_s,
        )
        index = IdentityIndex(sql.file)
        await sql.open()
        self._stack.push_async_callback(sql.close)
        self._tiers_by_name: dict[str, Tier] = {"memory": MemoryTier(settings.cache.memory_bytes), "sql": sql}
        return list(self._tiers_by_name.values()), index

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
        return await self._hunter.dispensaries(request)

    async def get(self, key: str, *, deadline_s: float | None = None, offline: bool = False) -> Entry | None:
        """Return one record's entry, whose ``.record`` decodes on first use; ``None`` where nobody has it.

        Raises:
            BadInput: not a key, or a key that no origin here can fill.
            SourceError: the origin failed and nothing servable is held.
        """
        found = await self._lookup(key, deadline_s=deadline_s, offline=offline)
        return found.entry if found is not None else None

    async def record(self, key: str, *, deadline_s: float | None = None, offline: bool = False) -> RecordAnswer | None:
        """Return one record with its provenance; ``None`` where nobody has it. Raises as :meth:`get`."""
        found = await self._lookup(key, deadline_s=deadline_s, offline=offline)
        if found is None:
            return None
        now = self.clock.now()
        return RecordAnswer(
            key=str(found.entry.key),
            record=found.entry.record,
            digest=found.entry.digest.hex(),
            expires_at=round(found.entry.expires_at, 3),
            is_stale=not found.entry.is_fresh(now),
            provenance=provenance_of(found, now),
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

    async def _lookup(self, text: str, *, deadline_s: float | None, offline: bool) -> Found | None:
        key = RecordKey.parse(text)
        if key.origin not in self._clients and not offline:
            raise BadInput(f"origin {key.origin!r} is not configured here", key=text, origin=key.origin)
        trace = Trace()
        deadline = self.clock.monotonic() + self._deadline_s(deadline_s)
        shops = await self._hunter.known_shop(key, trace=trace)
        result = await self._read.get_many([key], deadline=deadline, trace=trace, shops=shops, offline=offline)
        error = result.missing.get(key)
        if error is not None and not offline and not isinstance(error, NotFound):
            raise error
        return result.found.get(key)

    def _deadline_s(self, deadline_s: float | None) -> float:
        chosen = self.settings.hunt.deadline_s if deadline_s is None else deadline_s
        if not 0 < chosen <= MAX_DEADLINE_S:
            raise BadInput(f"deadline_s must be over 0 and at most {MAX_DEADLINE_S:g}, not {chosen:g}")
        return chosen

    def stats(self) -> NodeStats:
        """Return the live figures of tiers, origins and read path."""
        return NodeStats(
            uptime_s=round(self.clock.monotonic() - self._started_s, 3),
            tiers={name: tier.stats() for name, tier in self._tiers_by_name.items()},
            origins={origin: client.stats() for origin, client in self._clients.items()},
            read=self._read.stats(),
            counters=self._counters.snapshot(),
        )


def database_path(settings: Settings) -> Path:
    """Return the file of the SQL tier.

    Raises:
        ConfigError: ``database.url`` is no SQLite address.
    """
    url = settings.database.url
    if url is None:
        return settings.data_dir / DATABASE_FILE
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise ConfigError(f"setting database.url: not a SQLite address (sqlite:///PATH): {url!r:.60}")
    return Path(path)
