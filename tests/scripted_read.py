"""A read path over tiers and origins that are told how to behave."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from random import Random

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.tier import TierStats
from weedhounds.clock import Clock
from weedhounds.config import CacheSettings
from weedhounds.errors import (
    BadInput,
    OriginUnavailable,
    SchemaMismatch,
    TierUnavailable,
)
from weedhounds.learning import Learning
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.model.records import Body, Menu, Price, PriceList, Product, Shop, StrainList
from weedhounds.model.units import Money
from weedhounds.pages import Filled, Page, join_pages, read_page
from weedhounds.readthrough import Found, Origin, ReadResult, ReadThrough, Trace
from weedhounds.sources.base import Budget, Call, Kind, Load, OriginConfig, Parsed, Skipped, Source, SourceInfo
from weedhounds.sources.fetch import Answer, Validators
from weedhounds.telemetry import CallCounter

ORIGIN = "jane"


def menu_key(shop: str, origin: str = ORIGIN) -> RecordKey:
    return RecordKey(DataType.DISPENSARY_MENU, origin, shop)


def price_key(shop: str, origin: str = ORIGIN) -> RecordKey:
    return RecordKey(DataType.PRODUCT_PRICING, origin, shop)


def strain_key(slug: str) -> RecordKey:
    return RecordKey(DataType.STRAIN_DATA, ORIGIN, slug)


class FakeSource:
    """Menus as JSON lists of product ids, a page a call; strains as empty lists."""

    def __init__(self, config: OriginConfig) -> None:
        self.config = config

    @classmethod
    def info(cls) -> SourceInfo:
        raise NotImplementedError

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        try:
            ids, total = msgspec.json.decode(body, type=tuple[list[str], int])
        except msgspec.MsgspecError as error:
            raise SchemaMismatch("not the expected JSON") from error
        if ids == ["crash"]:
            raise KeyError("a parser's mistake")
        if ids == ["broken"]:
            return Parsed(seen=1, skipped=[Skipped("0", "no name")])
        products = [Product(id=i, name=f"Product {i}", origin=ORIGIN) for i in ids]
        price = Money.of("35.00", currency)
        assert price is not None
        prices = [
            Price(product_id=i, variant_label="1g", variant=None, market="rec", price=price, list_price=price)
            for i in ids
        ]
        return Parsed(products=products, prices=prices, seen=len(ids), total=total)

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        menus: dict[str, list[RecordKey]] = {}
        loads = []
        for key in keys:
            if key.native_id == "bad":
                raise BadInput("cannot be filled", str(key), ORIGIN)
            if key.native_id == "bug":
                raise ZeroDivisionError
            if key.data_type is DataType.STRAIN_DATA:
                call = Call(kind=Kind.STRAINS, path=f"/strains/{key.native_id}")
                loads.append(Load(origin=ORIGIN, what="strains", keys=(key,), calls=(call,)))
            elif key.native_id != "unplanned":
                menus.setdefault(key.native_id, []).append(key)
        for shop, own in menus.items():
            slug = shops[shop].slug if shop in shops else shop
            call = Call(kind=Kind.MENU, path=f"/menu/{slug}")
            loads.append(Load(origin=ORIGIN, what="menu", keys=tuple(own), calls=(call,), shop_id=shop))
        return loads

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        pages = parsed.total or 1
        return [msgspec.structs.replace(call, page=n) for n in range(1, pages)] if call.page == 0 else []


Script = bytes | Exception | Answer


class FakeClient:
    """Answers by path and page; waits where told to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.answers: dict[str, Script] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.sent: list[str] = []
        self.validators: list[Validators | None] = []
        self.etag: str | None = None

    def page(self, shop: str, ids: list[str], *, page: int = 0, pages: int = 1) -> None:
        self.answers[f"/menu/{shop}#{page}"] = msgspec.json.encode((ids, pages))

    async def send(
        self, call: Call, *, deadline: float | None, validators: Validators | None = None, trace: CallCounter
    ) -> Answer:
        name = f"{call.path}#{call.page}"
        trace.called()
        self.sent.append(name)
        self.validators.append(validators)
        if name in self.gates:
            await self._wait(name, deadline)
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else self.answer(answer)

    def answer(self, body: bytes, *, not_modified: bool = False) -> Answer:
        return Answer(
            body=body,
            status=304 if not_modified else 200,
            etag=self.etag,
            last_modified=None,
            not_modified=not_modified,
            elapsed_s=0.1,
            fetched_at=self._clock.now(),
        )

    async def _wait(self, name: str, deadline: float | None) -> None:
        timeout_s = None if deadline is None else deadline - self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                await self.gates[name].wait()
        except TimeoutError:
            raise OriginUnavailable("deadline passed before the answer", retryable=False) from None


class InlinePool:
    """Reads answers in place."""

    async def page(self, source: Source, load: Load, call: Call, body: bytes) -> Page:
        return read_page(source, load, call, body)

    async def join(self, load: Load, pages: Sequence[bytes]) -> tuple[Filled, ...]:
        return join_pages(load, pages)


class DictTier:
    """A tier over a dict that fails when told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: dict[RecordKey, Entry] = {}
        self.is_down = False
        self.asked: list[set[RecordKey]] = []

    async def get_many(self, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        self._check()
        self.asked.append(set(keys))
        return {key: self.held[key] for key in keys if key in self.held}

    async def put_many(self, entries: Sequence[Entry]) -> None:
        self._check()
        self.held.update((entry.key, entry) for entry in entries)

    async def discard(self, keys: Collection[RecordKey]) -> int:
        self._check()
        return sum(self.held.pop(key, None) is not None for key in keys)

    def stats(self) -> TierStats:
        return TierStats(entries=len(self.held))

    async def close(self) -> None:
        """Nothing is open."""

    def _check(self) -> None:
        if self.is_down:
            raise TierUnavailable(f"{self.name} is down")


class FakeIndex:
    """Keeps the pairs."""

    def __init__(self) -> None:
        self.pairs: set[tuple[str, RecordKey]] = set()

    async def add_many(self, pairs: Iterable[tuple[str, RecordKey]]) -> None:
        self.pairs.update(pairs)

    async def keys_of(self, identities: Collection[str]) -> dict[str, list[RecordKey]]:
        return {i: [key for name, key in self.pairs if name == i] for i in identities}


class World:
    """A read path with everything around it."""

    def __init__(
        self,
        clock: Clock,
        terms: Terms | None = None,
        *,
        settings: CacheSettings | None = None,
        learning: Learning | None = None,
    ) -> None:
        self.clock = clock
        self.memory, self.sql = DictTier("memory"), DictTier("sql")
        self.client = FakeClient(clock)
        self.index = FakeIndex()
        config = OriginConfig(
            origin=ORIGIN,
            base_url="http://origin.example",
            budget=Budget(10, 10.0, 10),
            terms=terms or Terms(share=ShareScope.CIRCLE),
        )
        origin = Origin(source=FakeSource(config), client=self.client, pool=InlinePool())
        self.read = ReadThrough(
            tiers=[self.memory, self.sql],
            origins={ORIGIN: origin},
            clock=clock,
            settings=settings or CacheSettings(stale_if_error_frac=2.0, stale_while_revalidate_frac=0.0),
            learning=learning,
            index=self.index,
            identities_of=_identities,
            rng=Random(1),
        )

    async def get(self, *keys: RecordKey, deadline_s: float = 10.0, trace: Trace | None = None) -> ReadResult:
        deadline = self.clock.monotonic() + deadline_s
        return await self.read.get_many(keys, deadline=deadline, trace=trace or Trace())

    def entry(self, key: RecordKey, *, age_s: float, lifetime_s: float, **fields: object) -> Entry:
        record: Body = Menu(origin=key.origin, shop_id=key.native_id, products=())
        if key.data_type is DataType.PRODUCT_PRICING:
            record = PriceList(origin=key.origin, shop_id=key.native_id, prices=())
        fetched_at = self.clock.now() - age_s
        return Entry.of(key, record, fetched_at=fetched_at, expires_at=fetched_at + lifetime_s, **fields)  # type: ignore[arg-type]


def _identities(record: Body) -> Iterable[str]:
    if isinstance(record, StrainList):
        yield "strain:any"


def ids_of(found: Found) -> list[str]:
    record = found.entry.record
    assert isinstance(record, Menu)
    return [product.id for product in record.products]


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
