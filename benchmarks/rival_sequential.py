"""The rival of a cold hunt: the very same calls, made one after another.

Uses the product's own sources (plan, parse, follow) and client (budget, counting), so that the
only difference is that nothing is concurrent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import msgspec
from harness import DENVER, get

from weedhounds import sources
from weedhounds.clock import SystemClock
from weedhounds.config import load_settings
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key
from weedhounds.model.records import Shop
from weedhounds.origins import SandboxTerms, sandbox_origins
from weedhounds.query.match import Question
from weedhounds.query.nearby import Area
from weedhounds.query.places import Gazetteer
from weedhounds.query.strainfacts import strain_keys
from weedhounds.sources.base import Call, Load, OriginConfig, Source
from weedhounds.sources.fetch import Fetcher, OriginClient
from weedhounds.telemetry import Counters, Trace

Seen: TypeAlias = Callable[[str, Call, bytes], None]


def _unseen(origin: str, call: Call, body: bytes) -> None:
    """Let an answer pass."""


class Sequential(msgspec.Struct, frozen=True):
    """What the rival did: calls made, and the seconds from the first to the last answer parsed."""

    calls: int
    seconds: float


class _OneByOne:
    """One origin's calls, one at a time."""

    def __init__(self, config: OriginConfig, fetcher: Fetcher, trace: Trace, see: Seen) -> None:
        source = sources.source_class(config.origin)
        self.data_types = frozenset(source.info().data_types)
        self._source: Source = source(config)
        self._client = OriginClient(config, fetcher, Counters())
        self._trace = trace
        self._see = see

    async def ask(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Shop]:
        """Make every call that fills ``keys``; return the shops that came."""
        found: list[Shop] = []
        for load in self._source.plan(keys, shops):
            found += await self._load(load)
        return found

    async def _load(self, load: Load) -> list[Shop]:
        found: list[Shop] = []
        waiting, known = list(load.calls), set(load.calls)
        while waiting:
            call = waiting.pop(0)
            answer = await self._client.send(call, deadline=None, trace=self._trace)
            self._see(load.origin, call, answer.body)
            parsed = self._source.parse(answer.body, call.kind)
            found += parsed.shops
            further = [each for each in self._source.follow(call, parsed) if each not in known]
            known.update(further)
            waiting += further
        return found


async def sequential_hunt(sandbox_url: str, see: Seen = _unseen) -> Sequential:
    """Make the calls of the Denver hunt one after another, against a running sandbox.

    Args:
        see: shown the origin, the call and the body of every answer.
    """
    settings = load_settings(sandbox_url=sandbox_url)
    terms = msgspec.json.decode(get(sandbox_url, "/_sandbox/terms").body, type=dict[str, SandboxTerms])
    area = Area.of(Gazetteer.load().resolve(DENVER["near"]), float(DENVER["radius_km"]))
    slug = Question.of(DENVER["q"]).slug or ""
    trace = Trace()
    async with Fetcher(settings.fetch, SystemClock()) as fetcher:
        started_s = time.perf_counter()
        for origin, config in sandbox_origins(settings, terms).items():
            one = _OneByOne(config, fetcher, trace, see)
            await one.ask(strain_keys(slug, [(origin, one.data_types)]), {})
            if DataType.DISPENSARY_MENU in one.data_types:
                await _shops(origin, one, area)
        return Sequential(trace.origin_calls, time.perf_counter() - started_s)


async def _shops(origin: str, one: _OneByOne, area: Area) -> None:
    found = await one.ask([near_key(origin, cell) for cell in area.cells], {})
    shops = {listing.shop.id: listing.shop for listing in area.listings(found)}
    kinds = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.PROMOTIONS)
    keys = [RecordKey(kind, origin, shop) for shop in shops for kind in kinds if kind in one.data_types]
    await one.ask(keys, shops)
