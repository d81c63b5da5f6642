"""Running one load: its calls at the origin, the pages they bring, the entries they become."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Protocol

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.freshness import expires_at
from weedhounds.errors import OriginRejected, SchemaMismatch, WeedHoundsError
from weedhounds.learning import Fetched, Learning
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Shop
from weedhounds.pages import Filled, Page
from weedhounds.sources.base import Call, Load, OriginConfig, Source
from weedhounds.sources.fetch import Answer, Validators
from weedhounds.telemetry import CallCounter, get_logger
from weedhounds.ttl.decide import StrategyName

MAX_CALLS = 64
"""Most calls of one load; an answer that asks for more is not believed."""
JITTER_FRAC = 0.05
"""How far a lifetime is drawn around its mean, so that what came together does not expire together."""
LEARNT_JITTER_FRAC = 0.02
"""The same of a learnt lifetime, upwards only: it may have been chosen to outlast a change at a known
hour, and learnt lifetimes differ by themselves."""
EMPTY_LIFETIME_S = 86_400.0
"""Longest lifetime of an empty list of a type whose records live for months: what an origin does
not know today it may know tomorrow."""
log = get_logger("weedhounds.loader")
_LONG_LIVED = frozenset({DataType.STRAIN_DATA, DataType.TERPENE_PROFILES, DataType.LAB_RESULTS})


class Sender(Protocol):
    """Sends the calls of an origin (:class:`weedhounds.sources.fetch.OriginClient`)."""

    async def send(
        self, call: Call, *, deadline: float | None, validators: Validators | None = None, trace: CallCounter
    ) -> Answer:
        """Send one call; see :meth:`weedhounds.sources.fetch.OriginClient.send`."""
        ...


class PagePool(Protocol):
    """Reads answers without holding up the event loop (:class:`weedhounds.workers.pool.ParsePool`)."""

    async def page(self, source: Source, load: Load, call: Call, body: bytes) -> Page:
        """Read one answer; see :func:`weedhounds.pages.read_page`."""
        ...

    async def join(self, load: Load, pages: Sequence[bytes]) -> tuple[Filled, ...]:
        """Join the pages of a load; see :func:`weedhounds.pages.join_pages`."""
        ...


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """An origin as the read path sees it: what to ask, how to send it, who reads the answers."""

    source: Source
    client: Sender
    pool: PagePool

    @property
    def config(self) -> OriginConfig:
        """Return the source's configuration."""
        return self.source.config


class Loader:
    """Runs loads and makes their entries.

    Args:
        learning: told of each call and each record that came; decides lifetimes.
        rng: draws the jitter of lifetimes.
    """

    def __init__(self, learning: Learning, rng: Random) -> None:
        self._learning = learning
        self._rng = rng

    async def run(
        self,
        origin: Origin,
        load: Load,
        *,
        deadline: float | None,
        payer: CallCounter,
        held: Mapping[RecordKey, Entry],
        shop: Shop | None = None,
    ) -> dict[RecordKey, Entry]:
        """Make the load's calls, all that are known at once, and return the entries they fill.

        A page that fails fails the load: half a menu is never taken for a whole one.

        Args:
            deadline: monotonic seconds, or ``None``.
            payer: charged with the call attempts.
            held: entries of the load's keys, which the origin may confirm instead.
            shop: whose records they are, where that is known.

        Raises:
            SourceError: a call failed, or an answer cannot be used.
        """
        paid = _Paid(payer, self._learning, load.origin)
        work = _Work(origin, load, deadline=deadline, payer=paid, validators=_validators(load, held))
        try:
            async with asyncio.TaskGroup() as tasks:
                for call in load.calls:
                    tasks.create_task(work.page(call, tasks))
        except ExceptionGroup as group:
            error = _first(group)
            raise error from error.__cause__
        if work.confirmed is not None:
            fetched_at = work.confirmed.fetched_at
            return {key: self._renewed(origin.config, held[key], fetched_at, shop) for key in load.keys}
        filled = await work.filled()
        answers = [answer for _, _, answer in work.pages]
        only = answers[0] if len(answers) == 1 else None
        fetched_at = min(answer.fetched_at for answer in answers)
        entries = {}
        for each in filled:
            fetched = Fetched(each.key, each.digest, fetched_at, held.get(each.key), len(answers))
            ends = self._expires_at(origin.config, fetched, shop, is_empty=each.is_empty)
            entries[each.key] = self._entry(origin.config, each, fetched_at, only, expires_at=ends)
        return entries

    def _entry(
        self, config: OriginConfig, filled: Filled, fetched_at: float, only: Answer | None, *, expires_at: float
    ) -> Entry:
        return Entry(
            filled.key,
            filled.body,
            fetched_at=fetched_at,
            expires_at=expires_at,
            digest=filled.digest,
            origins=(config.origin,),
            share=config.terms.share,
            etag=only.etag if only else None,
            last_modified=only.last_modified if only else None,
        )

    def _renewed(self, config: OriginConfig, old: Entry, fetched_at: float, shop: Shop | None) -> Entry:
        return Entry(
            old.key,
            old.body,
            fetched_at=fetched_at,
            expires_at=self._expires_at(config, Fetched(old.key, old.digest, fetched_at, old), shop),
            digest=old.digest,
            origins=old.origins,
            share=config.terms.share,
            etag=old.etag,
            last_modified=old.last_modified,
            record=old.record if old.is_decoded else None,
        )

    def _expires_at(
        self, config: OriginConfig, fetched: Fetched, shop: Shop | None, *, is_empty: bool = False
    ) -> float:
        data_type, fetched_at = fetched.key.data_type, fetched.at
        decided = self._learning.fetched(fetched, shop)
        is_learnt = decided.strategy is StrategyName.HYBRID
        moment = expires_at(
            fetched_at,
            decided.lifetime_s,
            LEARNT_JITTER_FRAC if is_learnt else JITTER_FRAC,
            self._rng,
            limits=self._learning.lifetimes.limits_of(data_type),
            never_earlier=is_learnt,
        )
        if is_empty and data_type in _LONG_LIVED:
            moment = min(moment, fetched_at + EMPTY_LIFETIME_S)
        limit_s = config.terms.storage_limit_s
        return moment if limit_s is None else min(moment, fetched_at + limit_s)


class _Paid:
    """Charges the attempts of one load to its payer, and tells the learner of them."""

    __slots__ = ("_learning", "_origin", "_payer")

    def __init__(self, payer: CallCounter, learning: Learning, origin: str) -> None:
        self._payer = payer
        self._learning = learning
        self._origin = origin

    def called(self) -> None:
        self._payer.called()
        self._learning.called(self._origin)


class _Work:
    """The calls of one load and what they brought so far."""

    def __init__(
        self, origin: Origin, load: Load, *, deadline: float | None, payer: CallCounter, validators: Validators | None
    ) -> None:
        self._origin = origin
        self._load = load
        self._deadline = deadline
        self._payer = payer
        self._validators = validators
        self._known: set[Call] = set(load.calls)
        self.pages: list[tuple[Call, Page, Answer]] = []
        self.confirmed: Answer | None = None

    async def page(self, call: Call, tasks: asyncio.TaskGroup) -> None:
        """Make one call and start those that its answer shows to be needed."""
        validators = self._validators if call in self._load.calls else None  # they stand for the first page
        answer = await self._origin.client.send(call, deadline=self._deadline, validators=validators, trace=self._payer)
        if answer.not_modified:
            self.confirmed = answer
            return
        page = await self._origin.pool.page(self._origin.source, self._load, call, answer.body)
        self.pages.append((call, page, answer))
        for following in page.follow:
            if following in self._known:
                continue
            if len(self._known) >= MAX_CALLS:
                raise SchemaMismatch(f"the origin asks for more than {MAX_CALLS} pages")
            self._known.add(following)
            tasks.create_task(self.page(following, tasks))

    async def filled(self) -> tuple[Filled, ...]:
        """Return the records of all pages together."""
        if len(self.pages) == 1 and not self.pages[0][1].parsed:
            return self.pages[0][1].filled
        first_calls = {call: n for n, call in enumerate(self._load.calls)}
        ordered = sorted(self.pages, key=lambda p: (p[0].page, first_calls.get(p[0], 0)))
        return await self._origin.pool.join(self._load, [page.parsed for _, page, _ in ordered])


def plan_loads(
    source: Source, keys: Sequence[RecordKey], shops: Mapping[str, Shop], errors: dict[RecordKey, WeedHoundsError]
) -> list[Load]:
    """Return the loads of ``keys``; one that the origin cannot fill goes to ``errors``, the others fly."""
    failed: WeedHoundsError
    try:
        return source.plan(keys, shops)
    except WeedHoundsError as error:
        failed = error
    except Exception as error:  # a key from outside that the source had not thought of
        log.exception("plan failed", keys=len(keys))
        failed = OriginRejected(f"cannot be asked for: {type(error).__name__}")
    if len(keys) == 1:
        errors[keys[0]] = failed
        return []
    return [load for key in keys for load in plan_loads(source, [key], shops, errors)]


def keys_of_flight(load: Load, held: Mapping[RecordKey, Entry]) -> tuple[RecordKey, ...]:
    """Return the keys for which joining the load is enough: a menu's answer holds the prices too.

    Not so where the origin may just confirm what is held: then only that is renewed.
    """
    if load.what != "menu" or load.shop_id is None or _validators(load, held) is not None:
        return load.keys
    both = (DataType.DISPENSARY_MENU, DataType.PRODUCT_PRICING)
    return (*load.keys, *(RecordKey(data_type, load.origin, load.shop_id) for data_type in both))


def _validators(load: Load, held: Mapping[RecordKey, Entry]) -> Validators | None:
    """Return validators that stand for everything the load fills, or ``None``."""
    if len(load.calls) != 1:
        return None
    entries = [held.get(key) for key in load.keys]
    found = {(entry.etag, entry.last_modified) if entry else (None, None) for entry in entries}
    if len(found) != 1:
        return None
    etag, last_modified = found.pop()
    return Validators(etag, last_modified) if etag or last_modified else None


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
