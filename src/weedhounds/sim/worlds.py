"""Simulated worlds: keys with true rates, and what happens to them. Deterministic for a spec and a seed. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import msgspec

from weedhounds.model.datatypes import DataType
from weedhounds.sim.profiles import STEP_S, Profile, poisson_count, poisson_times, unrolled, week_second
from weedhounds.sim.specs import REFERENCE_TYPES, SHOP_TYPES, Job, Spec
from weedhounds.sim.trace import DAY_S, Item, Outage, Trace

_DIGITS = 3
"""Times are whole milliseconds, as the CSV files hold them."""


class JobTimes(msgspec.Struct, frozen=True):
    """When a key's scheduled change may happen.

    Args:
        second: of the local day.
        weekdays: Monday is 0.
    """

    second: float
    weekdays: tuple[int, ...]
    probability: float
    within_s: float


class KeyTruth(msgspec.Struct, frozen=True):
    """What the oracle may know of a key: everything but the events.

    Args:
        change_rate: mean changes a second before any change of rate, scheduled ones left out.
        steps: times from which on the rate is multiplied by a factor, in order.
        request_rate: mean requests a second.
    """

    item: Item
    change_rate: float
    profile: Profile
    request_rate: float
    demand: Profile
    steps: tuple[tuple[float, float], ...] = ()
    steady_rate: float = 0.0
    jobs: tuple[JobTimes, ...] = ()


class World(msgspec.Struct, frozen=True):
    """A drawn world: its keys with the truth of each, and its trace.

    Args:
        spec: what it was drawn from.
        truths: one for each item of the trace, in the same order.
    """

    spec: Spec
    seed: int
    truths: tuple[KeyTruth, ...]
    trace: Trace


def draw_world(spec: Spec, seed: int) -> World:
    """Draw a world.

    Example:
        >>> from weedhounds.sim.specs import STANDARD
        >>> world = draw_world(msgspec.structs.replace(STANDARD, days=8, requests_per_day=50.0), seed=1)
        >>> len(world.truths)
        280
    """
    truths = tuple(_truths(spec, seed))
    changes = _changes(spec, seed, truths)
    requests = _requests(spec, seed, truths)
    outages = tuple(_outages(spec, seed, sorted({truth.item.source for truth in truths})))
    trace = Trace([truth.item for truth in truths], changes, requests, outages=outages)
    return World(spec, seed, truths, trace)


def _rng(seed: int, what: str) -> random.Random:
    """Return a stream of its own for each purpose, so that one does not shift the others."""
    return random.Random(f"{seed}:{what}")


def zipf(count: int, exponent: float) -> list[float]:
    """Return ``count`` weights that sum to 1, the greatest first."""
    weights = [1.0 / rank**exponent for rank in range(1, count + 1)]
    return [weight / sum(weights) for weight in weights]


def _truths(spec: Spec, seed: int) -> Iterator[KeyTruth]:
    rng = _rng(seed, "keys")
    popularity = zipf(spec.stores, spec.store_zipf)
    rng.shuffle(popularity)
    for store in range(spec.stores):
        tz = rng.choice(spec.zones_s)
        for dtype in SHOP_TYPES:
            for key, share in _store_keys(spec, dtype, store):
                item = Item(key, dtype, f"store{store:03d}", tz)
                yield _truth(spec, rng, item, popularity[store] * share)
    for dtype, word in REFERENCE_TYPES.items():
        count = spec.strains if dtype is DataType.STRAIN_DATA else spec.terpenes
        for i, share in enumerate(zipf(count, spec.reference_zipf)):
            item = Item(f"{word}:{i}", dtype, "reference", spec.reference_zone_s)
            yield _truth(spec, rng, item, share)


def _store_keys(spec: Spec, dtype: DataType, store: int) -> Iterator[tuple[str, float]]:
    """Yield a store's keys of a type, each with its share of the store's requests for the type."""
    word = SHOP_TYPES[dtype]
    if dtype is DataType.PRODUCT_PRICING:
        yield from ((f"{word}:{store}:{i}", share) for i, share in enumerate(zipf(spec.products, spec.product_zipf)))
    elif dtype is DataType.LAB_RESULTS:
        yield from ((f"{word}:{store}:{i}", 1.0 / spec.labs) for i in range(spec.labs))
    else:
        yield f"{word}:{store}{_suffix(dtype)}", 1.0


def _suffix(dtype: DataType) -> str:
    """Return how the shared worlds end the keys of a type."""
    return ":0" if dtype is DataType.DISPENSARY_INFO else ""


def _truth(spec: Spec, rng: random.Random, item: Item, share: float) -> KeyTruth:
    lognormal = math.exp(rng.gauss(0.0, spec.sigma) - 0.5 * spec.sigma**2)
    steady = 0.0
    if item.dtype is DataType.PRODUCT_PRICING:
        steady = spec.repricings.per_day * spec.repricings.share / DAY_S
    return KeyTruth(
        item=item,
        change_rate=spec.changes_per_day.get(item.dtype, 0.0) * lognormal / DAY_S,
        profile=spec.profiles.get(item.dtype, Profile()),
        request_rate=spec.requests_per_day * spec.request_shares.get(item.dtype, 0.0) * share / DAY_S,
        demand=spec.demand,
        steps=_drawn_steps(spec, rng),
        steady_rate=steady,
        jobs=tuple(_drawn_job(rng, job) for job in spec.jobs if job.dtype is item.dtype),
    )


def _drawn_steps(spec: Spec, rng: random.Random) -> tuple[tuple[float, float], ...]:
    drift = spec.drift
    if rng.random() >= drift.share:
        return ()
    times = sorted(rng.uniform(drift.since, drift.until) for _ in range(drift.times))
    return tuple((spec.start + at * spec.days * DAY_S, rng.choice(drift.factors)) for at in times)


def _drawn_job(rng: random.Random, job: Job) -> JobTimes:
    second = 3600.0 * rng.choice(job.hours) + 60.0 * rng.choice(job.minutes)
    return JobTimes(second, tuple(sorted(rng.sample(range(7), job.weekdays))), job.probability, job.within_s)


def rates(truth: KeyTruth, start: float, days: float) -> list[float]:
    """Return the true rate of unscheduled changes, per second, for each step of a period."""
    table = unrolled(truth.profile.table(), start, days, truth.item.tz)
    marks = [round((at - start) / STEP_S) for at, _ in truth.steps]
    factors = dict(zip(marks, (factor for _, factor in truth.steps), strict=True))
    rate, values = truth.change_rate, []
    for i, value in enumerate(table):
        rate *= factors.get(i, 1.0)
        values.append(value * (rate + truth.steady_rate))
    return values


def job_windows(truth: KeyTruth, start: float, days: float) -> Iterator[tuple[float, JobTimes]]:
    """Yield when the key's scheduled changes may begin, from ``start`` on, and which job it is."""
    for job in truth.jobs:
        for day in range(-1, math.ceil(days) + 1):
            midnight = math.floor((start + truth.item.tz) / DAY_S) * DAY_S - truth.item.tz + day * DAY_S
            weekday = int(week_second(midnight + 0.5 * DAY_S, truth.item.tz) // DAY_S)
            at = midnight + job.second
            if weekday in job.weekdays and start <= at < start + days * DAY_S:
                yield at, job


def _changes(spec: Spec, seed: int, truths: Sequence[KeyTruth]) -> dict[str, list[float]]:
    rng = _rng(seed, "changes")
    changes = {truth.item.key: _own_changes(spec, rng, truth) for truth in truths}
    priced: dict[str, list[KeyTruth]] = {}
    for truth in truths:
        if truth.item.dtype is DataType.PRODUCT_PRICING:
            priced.setdefault(truth.item.source, []).append(truth)
    for products in priced.values():
        for at, chosen in _repricings(spec, rng, products):
            for key in chosen:
                changes[key].append(at)
    end = spec.start + spec.days * DAY_S
    return {key: sorted({round(t, _DIGITS) for t in times if t < end}) for key, times in changes.items()}


def _own_changes(spec: Spec, rng: random.Random, truth: KeyTruth) -> list[float]:
    own = msgspec.structs.replace(truth, steady_rate=0.0)
    times = list(poisson_times(rng, rates(own, spec.start, spec.days), spec.start))
    if truth.item.dtype is DataType.DISPENSARY_MENU:
        times += [later for t in times for later in _burst(spec, rng, t)]
    for at, job in job_windows(truth, spec.start, spec.days):
        if rng.random() < job.probability:
            times.append(at + rng.uniform(0.0, job.within_s))
    return times


def _burst(spec: Spec, rng: random.Random, t: float) -> Iterator[float]:
    if rng.random() < spec.bursts.probability:
        for _ in range(poisson_count(rng, spec.bursts.changes)):
            t += rng.expovariate(1.0 / spec.bursts.gap_s)
            yield t


def _repricings(spec: Spec, rng: random.Random, products: Sequence[KeyTruth]) -> Iterator[tuple[float, list[str]]]:
    table = unrolled(products[0].profile.table(), spec.start, spec.days, products[0].item.tz)
    for at in poisson_times(rng, table, spec.start, spec.repricings.per_day / DAY_S):
        yield at, [truth.item.key for truth in products if rng.random() < spec.repricings.share]


def _requests(spec: Spec, seed: int, truths: Sequence[KeyTruth]) -> dict[str, list[float]]:
    rng = _rng(seed, "requests")
    tables: dict[float, list[float]] = {}
    requests: dict[str, list[float]] = {}
    for truth in truths:
        tz = truth.item.tz
        if tz not in tables:
            tables[tz] = unrolled(truth.demand.table(), spec.start, spec.days, tz)
        times = poisson_times(rng, tables[tz], spec.start, truth.request_rate)
        requests[truth.item.key] = sorted({round(t, _DIGITS) for t in times})
    return requests


def _outages(spec: Spec, seed: int, sources: Sequence[str]) -> Iterator[Outage]:
    rng = _rng(seed, "outages")
    steps = [spec.outages.per_day / DAY_S] * round(spec.days * DAY_S / STEP_S)
    for source in sources:
        for at in poisson_times(rng, steps, spec.start):
            yield Outage(source, round(at, _DIGITS), round(at + rng.expovariate(1.0 / spec.outages.mean_s), _DIGITS))
