"""The origin of a simulated week, in this process: every key's version in force at the time of the clock.

It stands where a source, its client and the pool that reads answers stand in a node
(:class:`weedhounds.readthrough.Origin`), so that loads run through the read path's own code. Bodies are
stand-ins of about a hundred bytes that hold the number of the version: wire formats have tests of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from weedhounds.cache.entry import Entry, record_digest
from weedhounds.clock import Clock
from weedhounds.codec import encode_body
from weedhounds.errors import BadInput, NotFound, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Terms
from weedhounds.model.records import Shop, Strain, StrainList
from weedhounds.pages import Filled, Page
from weedhounds.readthrough import Origin
from weedhounds.sim.specs import SHOP_TYPES
from weedhounds.sim.trace import Item, Trace
from weedhounds.sim.week_lists import Groups
from weedhounds.sources.base import Budget, Call, Kind, Load, OriginConfig, Parsed, Source, SourceInfo
from weedhounds.sources.fetch import Answer, Validators
from weedhounds.telemetry import CallCounter

ORIGIN = "market"
_CALLS = Budget(burst=1_000_000, rate_per_s=1e6, concurrency=1_000)
"""No limit: what a budget does is seen in the price of a call."""


class Shelf:
    """What the origin has: the keys of a trace as record keys, their changes, and what is filled together."""

    def __init__(self, trace: Trace, groups: Groups) -> None:
        self.keys = [RecordKey(item.dtype, ORIGIN, _native_id(item)) for item in trace.items]
        self.shop_ids = [item.source if _has_shop(item) else None for item in trace.items]
        self.place_of = {key: i for i, key in enumerate(self.keys)}
        self.changes = trace.changes
        self.group_of = {i: group for group in groups for i in group}
        if len(self.place_of) != len(self.keys) or len(self.group_of) != len(self.keys):
            raise BadInput("two keys of the trace have one name, or a key stands in no group")

    def version_at(self, i: int, t: float) -> int:
        """Return the number of the version in force at ``t``: how many changes came before it."""
        return bisect_right(self.changes[i], t)

    def stale_at(self, i: int, version: int) -> float:
        """Return the moment from which a version is no longer in force; infinity for the last one."""
        changes = self.changes[i]
        return changes[version] if version < len(changes) else float("inf")


class WeekSource:
    """Plans one call for each group of keys that is asked for."""

    def __init__(self, shelf: Shelf) -> None:
        self.config = OriginConfig(origin=ORIGIN, base_url="", budget=_CALLS, terms=Terms())
        self._shelf = shelf

    @classmethod
    def info(cls) -> SourceInfo:
        """Return nothing: it is no origin that can be configured."""
        raise NotFound("the simulated origin is not configured", origin=ORIGIN)

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        """Raise: its answers have no wire format; :class:`WeekPages` reads them."""
        raise SchemaMismatch("an answer of the simulated origin has no wire format", origin=ORIGIN)

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        """Return a load of one call for each group that holds an asked key."""
        wanted: dict[tuple[int, ...], list[RecordKey]] = {}
        for key in keys:
            place = self._shelf.place_of.get(key)
            if place is None:
                raise BadInput("no such record in the simulated market", str(key), ORIGIN)
            wanted.setdefault(self._shelf.group_of[place], []).append(key)
        return [self._load(group, own) for group, own in wanted.items()]

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        """Return no further calls."""
        return []

    def _load(self, group: tuple[int, ...], asked: Sequence[RecordKey]) -> Load:
        is_menu = len(group) > 1
        call = Call(kind=Kind.MENU if is_menu else Kind.PRODUCTS, path="/" + ",".join(map(str, group)))
        what, shop_id = "menu" if is_menu else "record", self._shelf.shop_ids[group[0]]
        return Load(origin=ORIGIN, what=what, keys=tuple(asked), calls=(call,), shop_id=shop_id)


class WeekClient:
    """Answers calls at once, and counts them: all, and those that brought a version not yet told."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._told: dict[int, int] = {}
        self.calls = self.useful_calls = 0

    async def send(
        self, call: Call, *, deadline: float | None, validators: Validators | None = None, trace: CallCounter
    ) -> Answer:
        """Return the versions in force of the keys that the call names."""
        trace.called()
        self.calls += 1
        now = self._clock.now()
        told = {place: self._shelf.version_at(place, now) for place in map(int, call.path[1:].split(","))}
        self.useful_calls += any(self._told.get(i) != version for i, version in told.items())
        self._told.update(told)
        body = msgspec.json.encode(list(told.items()))
        return Answer(
            body=body, status=200, etag=None, last_modified=None, not_modified=False, elapsed_s=0.0, fetched_at=now
        )


class WeekPages:
    """Makes bodies of the versions that an answer tells."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def page(self, source: Source, load: Load, call: Call, body: bytes) -> Page:
        """Return the records of an answer, which is always a load's only one."""
        told = msgspec.json.decode(body, type=list[tuple[int, int]])
        return Page(filled=tuple(_filled(self._shelf.keys[i], version) for i, version in told), items=len(told))

    async def join(self, load: Load, pages: Sequence[bytes]) -> tuple[Filled, ...]:
        """Raise: no load has a second page."""
        raise SchemaMismatch("a load of the simulated origin has one page", origin=ORIGIN)


def origin_of(shelf: Shelf, clock: Clock) -> tuple[Origin, WeekClient]:
    """Return the origin for a read path, and its client, which counts the calls."""
    client = WeekClient(shelf, clock)
    return Origin(source=WeekSource(shelf), client=client, pool=WeekPages(shelf)), client


def version_of(entry: Entry) -> int:
    """Return the number of the version that an entry's body holds."""
    record = entry.decode()
    assert isinstance(record, StrainList)
    return int(record.strains[0].name)


def shop_of(item: Item, zone: str) -> Shop | None:
    """Return the shop that a record belongs to, as a read path is told it; ``None`` for reference data."""
    if not _has_shop(item):
        return None
    key = RecordKey(DataType.DISPENSARY_INFO, ORIGIN, item.source)
    return Shop(key=str(key), origin=ORIGIN, id=item.source, name=item.source, time_zone=zone)


def _has_shop(item: Item) -> bool:
    return item.dtype in SHOP_TYPES


def _native_id(item: Item) -> str:
    """Return the id of a key: the shop's own for its menu, price list and promotions, else with a number."""
    if not _has_shop(item):
        return item.key.replace(":", "-")
    return "-".join([item.source, *item.key.split(":")[2:]])


def _filled(key: RecordKey, version: int) -> Filled:
    record = StrainList(origin=ORIGIN, strains=(Strain(slug=key.native_id, name=str(version), origin=ORIGIN),))
    return Filled(key, encode_body(record), record_digest(record))
