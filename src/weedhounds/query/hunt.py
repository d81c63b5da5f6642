"""The main job: one question, every origin, one answer.

Plan: the place's cells -> each origin's shops there -> their menus, prices and promotions, all
origins at once; beside it the strain's own facts. What has arrived by the deadline is matched,
merged and ranked; what has not is said. Matching runs in one thread beside the event loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.identity import IdentityStore
from weedhounds.clock import Clock
from weedhounds.config import HuntSettings
from weedhounds.errors import BadInput, Corrupt, NotFound, OriginUnavailable, WeedHoundsError
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.names import slugify
from weedhounds.model.records import Shop
from weedhounds.query.answer import ByTier, DispensariesAnswer, FoundOffer, HuntAnswer, Meta, Missing, StrainAnswer
from weedhounds.query.identity import merge_shops
from weedhounds.query.match import Question
from weedhounds.query.nearby import Area, Listing, held_shops, search_shops, shops_of
from weedhounds.query.offers import asked_strain, nearby_shops, ranked_offers
from weedhounds.query.places import Gazetteer
from weedhounds.query.strainfacts import strain_keys
from weedhounds.query.views import menu_view, price_view
from weedhounds.readthrough import Found, ReadThrough, Trace

MAX_RADIUS_KM = 500.0
MAX_DEADLINE_S = 120.0
MAX_LIMIT = 1000
MATCHING_S = 0.25
MATCHING_FRAC = 0.1
"""What is kept of a hunt's deadline for matching and merging: so many seconds, at most this share."""
_NAMES_SHOWN = 8
_OF_SHOPS = frozenset(
    {DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING, DataType.PROMOTIONS, DataType.DISPENSARY_INFO}
)
Args = TypeVarTuple("Args")
Result = TypeVar("Result")
_WHAT = {
    DataType.DISPENSARY_MENU: "menu",
    DataType.PRODUCT_PRICING: "menu",
    DataType.PROMOTIONS: "promotions",
    DataType.STRAIN_DATA: "strain description",
    DataType.LAB_RESULTS: "laboratory results",
}


class HuntRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A checked question. ``limit`` ``None`` means every offer; ``offset`` where the page begins."""

    question: Question
    area: Area
    deadline_s: float
    limit: int | None
    offset: int
    is_offline: bool


class _Gathered:
    """What a hunt collects while it runs."""

    def __init__(self) -> None:
        self.listings: list[Listing] = []
        self.found: dict[RecordKey, Found] = {}
        self.missing: list[Missing] = []
        self.strain: list[tuple[RecordKey, Found]] = []


class Hunter:
    """Answers hunts over a read path.

    Args:
        origins: by origin id, the data types that its source can fill.
        stale_probability: of an entry at a moment (Unix seconds), 0..1; asked in the event loop.
    """

    def __init__(
        self,
        read: ReadThrough,
        index: IdentityStore,
        *,
        origins: Mapping[str, frozenset[DataType]],
        stale_probability: Callable[[Entry, float], float],
        gazetteer: Gazetteer,
        clock: Clock,
        settings: HuntSettings,
    ) -> None:
        self._read = read
        self._index = index
        self._origins = origins
        self._stale_probability = stale_probability
        self._gazetteer = gazetteer
        self._clock = clock
        self._settings = settings
        self._matcher = ThreadPoolExecutor(1, thread_name_prefix="match")

    def close(self) -> None:
        """Let go of the matching thread."""
        self._matcher.shutdown(wait=True, cancel_futures=True)

    def request(
        self,
        query: str,
        near: str,
        *,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        offline: bool = False,
    ) -> HuntRequest:
        """Check a question.

        Raises:
            BadInput: unknown place, radius, deadline, limit or cursor out of range, unusable query.
        """
        radius = self._settings.radius_km if radius_km is None else radius_km
        deadline = self._settings.deadline_s if deadline_s is None else deadline_s
        if not math.isfinite(radius) or not 0 <= radius <= MAX_RADIUS_KM:
            raise BadInput(f"radius_km must be 0 to {MAX_RADIUS_KM:g}, not {radius:g}")
        if not math.isfinite(deadline) or not 0 < deadline <= MAX_DEADLINE_S:
            raise BadInput(f"deadline_s must be over 0 and at most {MAX_DEADLINE_S:g}, not {deadline:g}")
        if limit is not None and limit < 1:
            raise BadInput(f"limit must be at least 1, not {limit}")
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 7):
            raise BadInput(f"not a cursor of this service: {cursor!r:.40}")
        return HuntRequest(
            question=Question.of(query),
            area=Area.of(self._gazetteer.resolve(near), radius),
            deadline_s=deadline,
            limit=limit,
            offset=int(cursor or 0),
            is_offline=offline,
        )

    async def hunt(self, request: HuntRequest, *, progress: Callable[[int, int], None] | None = None) -> HuntAnswer:
        """Return everything found by the deadline, and what is missing.

        Args:
            progress: called with (loads done, loads known) as they change.
        """
        started = self._clock.monotonic()
        deadline = started + request.deadline_s - min(MATCHING_S, request.deadline_s * MATCHING_FRAC)
        trace = Trace(on_progress=progress)
        gathered = _Gathered()
        held, not_placed = await held_shops(
            self._read, self._index, request.area, trace=trace, pinned_only=not request.is_offline
        )
        gathered.missing.extend(not_placed)
        async with asyncio.TaskGroup() as tasks:
            for origin in sorted(self._origins.keys() | held.keys()):
                tasks.create_task(self._origin(origin, request, held.get(origin, ()), deadline, trace, gathered))
            if request.question.slug is not None:
                slug, offline = request.question.slug, request.is_offline
                tasks.create_task(
                    self._strain(slug, deadline=deadline, is_offline=offline, trace=trace, gathered=gathered)
                )
        now = self._clock.now()
        prices = (f for key, f in gathered.found.items() if key.data_type is DataType.PRODUCT_PRICING)
        stale = self._stale([*prices, *(f for _, f in gathered.strain)], now)
        total, page, strain = await self._in_thread(self._match, request, gathered, now, stale)
        end = request.offset + len(page)
        return HuntAnswer(
            query=request.question.text,
            place=request.area.place,
            offers=tuple(page),
            strain=strain,
            missing=tuple(sorted(set(gathered.missing))),
            meta=Meta(
                elapsed_ms=round((self._clock.monotonic() - started) * 1000, 1),
                origin_calls=trace.origin_calls,
                offers_total=total,
                by_tier=_by_tier([*gathered.found.values(), *(f for _, f in gathered.strain)]),
                shops=len(merge_shops([each.shop for each in gathered.listings])),
                records=len(gathered.found) + len(gathered.strain),
                next_cursor=str(end) if end < total else None,
            ),
        )

    async def dispensaries(self, request: HuntRequest) -> DispensariesAnswer:
        """Return the shops near the place, nearest first, merged over the origins."""
        started = self._clock.monotonic()
        trace, gathered = Trace(), _Gathered()
        held, gathered.missing = await held_shops(
            self._read, self._index, request.area, trace=trace, pinned_only=not request.is_offline
        )
        searches = [] if request.is_offline else sorted(o for o, t in self._origins.items() if _has_menus(t))
        found = await asyncio.gather(
            *(
                search_shops(self._read, o, request.area, deadline=started + request.deadline_s, trace=trace)
                for o in searches
            )
        )
        gathered.missing += [missing for _, missing in found if missing]
        shops = [shop for some in (*held.values(), *(shops for shops, _ in found)) for shop in some]
        listings = request.area.listings(shops)
        near = nearby_shops(listings)
        page = near[request.offset :] if request.limit is None else near[request.offset :][: request.limit]
        end = request.offset + len(page)
        return DispensariesAnswer(
            place=request.area.place,
            dispensaries=tuple(page),
            missing=tuple(gathered.missing),
            meta=Meta(
                elapsed_ms=round((self._clock.monotonic() - started) * 1000, 1),
                origin_calls=trace.origin_calls,
                offers_total=0,
                by_tier=ByTier(**trace.by_tier),
                shops=len(near),
                records=len(listings),
                next_cursor=str(end) if end < len(near) else None,
            ),
        )

    async def strain(self, name: str, *, deadline_s: float, offline: bool) -> StrainAnswer | None:
        """Return what origins and registries say of a strain; see :meth:`weedhounds.Node.strain`."""
        slug = slugify(name)
        if not slug:
            raise BadInput(f"not a strain's name: {name!r:.60}")
        question = Question(name, (), slug)
        gathered = _Gathered()
        deadline = self._clock.monotonic() + deadline_s
        await self._strain(slug, deadline=deadline, is_offline=offline, trace=Trace(), gathered=gathered)
        facts, now = [found for _, found in gathered.strain], self._clock.now()
        answer, _ = asked_strain(question, facts, now=now, stale=self._stale(facts, now))
        if answer is None and gathered.missing:
            first = gathered.missing[0]
            raise OriginUnavailable(f"{first.origin}: {first.why}", origin=first.origin)
        return answer

    async def shops_held(self, keys: Iterable[RecordKey]) -> dict[tuple[str, str], Shop]:
        """Return the shops that record keys belong to, as far as this node holds them; no request is counted."""
        own = {
            RecordKey(DataType.DISPENSARY_INFO, key.origin, key.native_id)
            for key in keys
            if key.data_type in _OF_SHOPS and not key.is_search
        }
        found = await self._read.held_many(own) if own else {}
        return {(shop.origin, shop.id): shop for shop in shops_of(found.values())}

    async def known_shop(self, key: RecordKey, *, trace: Trace) -> dict[tuple[str, str], Shop]:
        """Return the shop that a record key belongs to, where this node holds it: some addresses need its slug."""
        own = RecordKey(DataType.DISPENSARY_INFO, key.origin, key.native_id)
        if key.data_type not in _OF_SHOPS or key.is_search:
            return {}
        result = await self._read.get_many([own], deadline=None, trace=trace, offline=True)
        return {(shop.origin, shop.id): shop for shop in shops_of(result.found.values())}

    async def _origin(
        self,
        origin: str,
        request: HuntRequest,
        held: Sequence[Shop],
        deadline: float,
        trace: Trace,
        gathered: _Gathered,
    ) -> None:
        """Gather one origin's shops, then what they carry."""
        shops = list(held)
        data_types = self._origins.get(origin, frozenset())
        if not request.is_offline and _has_menus(data_types):
            searched, missing = await search_shops(self._read, origin, request.area, deadline=deadline, trace=trace)
            shops += searched
            gathered.missing += [missing] if missing else []
        listings = request.area.listings(shops)
        if len(listings) > self._settings.max_shops:
            left = len(listings) - self._settings.max_shops
            gathered.missing.append(Missing(origin, f"{left} farther shops", "over the setting hunt.max_shops"))
            listings = listings[: self._settings.max_shops]
        gathered.listings += listings
        keys = _shop_keys(origin, listings, data_types, offline=request.is_offline)
        result = await self._read.get_many(
            keys,
            deadline=deadline,
            trace=trace,
            shops={(origin, each.shop.id): each.shop for each in listings},
            offline=request.is_offline,
        )
        gathered.found |= result.found
        names = {each.shop.id: each.shop.name for each in listings}
        if not request.is_offline:
            gathered.missing += _missing(origin, {**result.missing, **result.stale_errors}, names)
        damaged = await self._in_thread(self._prepare, list(result.found.values()))
        if damaged:
            for key in damaged:
                gathered.found.pop(key, None)
            gathered.missing += _missing(origin, damaged, names)
            await self._read.discard(list(damaged))

    async def _strain(self, slug: str, *, deadline: float, is_offline: bool, trace: Trace, gathered: _Gathered) -> None:
        """Gather the facts of the strain that the question may name."""
        keys = strain_keys(slug, self._origins.items())
        identity = f"strain:{slug}"
        known = (await self._index.keys_of([identity])).get(identity, [])
        others = [key for key in known if key not in keys]
        held = await self._read.get_many(others, deadline=deadline, trace=trace, offline=True)
        result = await self._read.get_many(keys, deadline=deadline, trace=trace, offline=is_offline)
        gathered.strain = sorted({**held.found, **result.found}.items())
        errors = {} if is_offline else result.missing
        gathered.missing += [
            Missing(key.origin, _WHAT[key.data_type], str(error))
            for key, error in errors.items()
            if not isinstance(error, NotFound)
        ]

    async def _in_thread(self, function: Callable[[*Args], Result], *args: *Args) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._matcher, function, *args)

    def _stale(self, found: Iterable[Found], now: float) -> dict[RecordKey, float]:
        """Return how likely each entry is stale; the learner belongs to the event loop, matching does not."""
        return {each.entry.key: self._stale_probability(each.entry, now) for each in found}

    def _match(
        self, request: HuntRequest, gathered: _Gathered, now: float, stale: Mapping[RecordKey, float]
    ) -> tuple[int, list[FoundOffer], StrainAnswer | None]:
        facts = [found for _, found in gathered.strain]
        strain, damaged = asked_strain(request.question, facts, now=now, stale=stale)
        gathered.missing += damaged
        offers = ranked_offers(
            request.question,
            gathered.listings,
            gathered.found,
            strain=strain.name if strain is not None else None,
            now=now,
            stale=stale,
        )
        return len(offers), offers.page(request.offset, request.limit), strain

    def _prepare(self, found: Iterable[Found]) -> dict[RecordKey, WeedHoundsError]:
        """Decode and index entries for matching; return those that are damaged."""
        damaged: dict[RecordKey, WeedHoundsError] = {}
        for each in found:
            try:
                if each.entry.key.data_type is DataType.DISPENSARY_MENU:
                    menu_view(each.entry)
                elif each.entry.key.data_type is DataType.PRODUCT_PRICING:
                    price_view(each.entry)
            except Corrupt as error:
                damaged[each.entry.key] = error
        return damaged


def _has_menus(data_types: frozenset[DataType]) -> bool:
    return DataType.DISPENSARY_MENU in data_types


def _shop_keys(
    origin: str, listings: Sequence[Listing], data_types: frozenset[DataType], *, offline: bool
) -> list[RecordKey]:
    kinds = [DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING]
    if offline or DataType.PROMOTIONS in data_types:
        kinds.append(DataType.PROMOTIONS)
    return [RecordKey(kind, origin, each.shop.id) for each in listings for kind in kinds]


def _missing(origin: str, errors: Mapping[RecordKey, WeedHoundsError], names: Mapping[str, str]) -> list[Missing]:
    """Return one line for each reason, naming the shops it concerns."""
    shops: dict[tuple[str, str], dict[str, None]] = {}
    for key, error in errors.items():
        shops.setdefault((_WHAT[key.data_type], str(error)), {})[key.native_id] = None
    return [
        Missing(origin, f"{what} of {_enumerate([names.get(i, i) for i in ids])}", why)
        for (what, why), ids in shops.items()
    ]


def _enumerate(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown} and {len(names) - _NAMES_SHOWN} more"


def _by_tier(found: Iterable[Found]) -> ByTier:
    counts: dict[str, int] = {}
    for each in found:
        counts[each.tier] = counts.get(each.tier, 0) + 1
    return ByTier(**{name: counts.get(name, 0) for name in ("memory", "sql", "peers", "origin")})
