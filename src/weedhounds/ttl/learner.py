"""The learner: from what calls find, how long copies should live and how likely they are stale. Pure.

At each call it learns (how often the key is asked for, whether it changed, at what hours, on what
schedule) and then decides when the fresh copy should expire, so that price x calls + stale serves is
least. `docs/ttl.md` explains it; `docs/design/0020-the-learner.md` says why it is so and what was measured.

It reads no clock and does no I/O. Tables are bounded: keys, plans and schedules leave in the order in
which they were last used.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import msgspec

from weedhounds.ttl.belief import DAYTIME, OPEN_HOURS, KeyBelief, Observation, TypeBelief
from weedhounds.ttl.horizon import Outlook, Plan, plan
from weedhounds.ttl.optimum import changes_at_expiry
from weedhounds.ttl.rates import Mixture, flat, same_probability
from weedhounds.ttl.schedule import BINS, PLAIN, WIDTHS, Schedule
from weedhounds.ttl.week import DAY_S, WeekShape, pooled

MAX_KEYS = 200_000
MAX_PLANS = 4_096
MAX_SCHEDULES = 4_096
_MAX_TYPES = 32
_OTHER_TYPE = "other"
LONGEST_S = 400 * DAY_S
"""No lifetime is longer: a policy that never looks again never finds out that it was wrong."""
_FADE_DAYS = 14.0
_REFRESH_S = 6 * 3_600.0
_POOL_S = DAY_S
_RATE_SLACK = 0.2
_DEMAND_SLACK = 0.3
"""A plan is used again while the logarithms of the rates have moved less than this. Measured: with 0.1 and 0.15 the cost is the same within its noise of 0.5 %."""
_MOST_CHANGES = 3.0
_RETRY_LEAST_S = 600.0
_RETRY_MOST_S = DAY_S
_LONGEST_LOOK_S = LONGEST_S
_MOST_TZ_S = 15 * 3_600.0
_HOUR_POOL = 2.0
_DAY_POOL = 20.0
_FLAT_WEEK = (1.0,) * 7
_LEAST_RATE = 1e-6
_EXPLORED_LOOKS = 5
_FIRST_CHANGES = 0.5
_MOST_PRICE = 1e6


class Insight(msgspec.Struct, frozen=True, kw_only=True):
    """What the learner believes of one key, in numbers.

    Args:
        changes_per_day: expected, beside scheduled ones; ``spread``: standard deviation of its logarithm.
        requests_per_day: expected demand.
        looks, changes: how often the key was compared, how often it differed.
        scheduled_at_min: minute of the local day at which a scheduled change is likeliest, or ``None``.
        schedule_probability: that there is a schedule at all.
        price: of a call, in stale serves, as last used.
        stale_probability: of the copy held, now.
        stale_at_expiry: at which probability of being stale a copy should expire now, where planned.
    """

    changes_per_day: float
    spread: float
    requests_per_day: float
    looks: int
    changes: int
    scheduled_at_min: int | None
    schedule_probability: float
    price: float
    stale_probability: float
    stale_at_expiry: float | None


class Learner:
    """Learns from calls and answers lifetimes: a policy of the lifetime model.

    Bounds: `MAX_KEYS` keys of about 0.6 KB, `MAX_PLANS` plans of about 20 KB, `MAX_SCHEDULES` schedules of 9 KB.

    Args:
        price: of a call, in stale serves, where an observation's origin has no price of its own.
    """

    def __init__(self, price: float = 1.0, *, max_keys: int = MAX_KEYS) -> None:
        self.price = _sane(price, 1.0, _MOST_PRICE)
        self.max_keys = max_keys
        self.types: dict[str, TypeBelief] = {}
        self.keys: OrderedDict[str, KeyBelief] = OrderedDict()
        self.demand = WeekShape(counts=True)
        self.next_demand = 0.0
        self.schedules: OrderedDict[str, Schedule] = OrderedDict()
        self._plans: OrderedDict[str, Plan] = OrderedDict()

    def __call__(self, obs: Observation) -> float:
        """Learn from one call and return the lifetime, seconds; of a failed one, the wait before the next."""
        return self.decide(obs, self.price)

    def decide(self, obs: Observation, price: float) -> float:
        """Learn from one call and return the lifetime at ``price``, seconds."""
        if not math.isfinite(obs.now):
            return 0.0
        kind = self._type(obs.dtype)
        belief = self._belief(obs, kind)
        per_stale = _sane(price, self.price, _MOST_PRICE) / max(_sane(obs.weight, 1.0, _MOST_PRICE), 1e-9)
        self._learn_demand(belief, kind, obs)
        if not obs.ok:
            return self._retry(belief, obs, per_stale)
        if obs.changed is not None and obs.prev is not None and 0.0 < obs.now - obs.prev <= _LONGEST_LOOK_S:
            self._learn_change(belief, kind, obs)
        belief.fetched_at, belief.failing_since = obs.now, None
        kind.touch(obs.key, belief)
        self._refresh(kind, obs.now)
        belief.change_rate = max(_LEAST_RATE, kind.prior.posterior_mean(belief.like))
        return self._lifetime(obs.key, belief, kind, per_stale)

    def stale_probability(self, key: str, now: float) -> float:
        """Return how likely the copy of ``key`` fetched last is stale at ``now``; 1 where none is known of."""
        belief = self.keys.get(key)
        if belief is None or belief.fetched_at is None:
            return 1.0
        if not now > belief.fetched_at:
            return 0.0
        kind = self._type(belief.data_type)
        since, until = belief.fetched_at + belief.tz, now + belief.tz
        exposure = kind.week.clock(until) - kind.week.clock(since)
        same = same_probability(kind.prior.mixture(belief.like), exposure)
        schedule = self.schedules.get(key)
        if schedule is not None:
            same *= math.exp(-schedule.hazard(since, until))
        return min(1.0, max(0.0, 1.0 - same))

    def insight(self, key: str, now: float) -> Insight | None:
        """Return what is believed of ``key``, or ``None`` where nothing is known of it."""
        belief = self.keys.get(key)
        if belief is None:
            return None
        kind = self._type(belief.data_type)
        schedule = self.schedules.get(key)
        known = self._plans.get(key)
        local = now + belief.tz
        planned = known is not None and known.times[0] <= local < known.times[-1]
        return Insight(
            changes_per_day=belief.change_rate,
            spread=kind.prior.deviation(belief.like),
            requests_per_day=belief.request_rate,
            looks=belief.looks,
            changes=belief.changes,
            scheduled_at_min=_likeliest_minute(schedule),
            schedule_probability=schedule.probability if schedule is not None else 0.0,
            price=known.price if known is not None else self.price,
            stale_probability=self.stale_probability(key, now),
            stale_at_expiry=known.threshold[known.index(local)] if known is not None and planned else None,
        )

    def _type(self, name: str) -> TypeBelief:
        kind = self.types.get(name)
        if kind is None:
            name = name if len(self.types) < _MAX_TYPES else _OTHER_TYPE
            kind = self.types.setdefault(name, TypeBelief(name))
        return kind

    def _belief(self, obs: Observation, kind: TypeBelief) -> KeyBelief:
        belief = self.keys.get(obs.key)
        tz = obs.tz if math.isfinite(obs.tz) and abs(obs.tz) <= _MOST_TZ_S else 0.0
        if belief is None:
            belief = self.keys[obs.key] = KeyBelief(kind.name, obs.source, tz)
            belief.learn_demand(kind.requests_per_day)
            if len(self.keys) > self.max_keys:
                self._forget(self.keys.popitem(last=False)[0])
        else:
            self.keys.move_to_end(obs.key)
            belief.tz = tz
        return belief

    def _forget(self, key: str) -> None:
        self.schedules.pop(key, None)
        self._plans.pop(key, None)

    def _learn_demand(self, belief: KeyBelief, kind: TypeBelief, obs: Observation) -> None:
        before = belief.asked_at
        belief.asked_at = obs.now
        if before is None or not 0.0 < obs.now - before <= _LONGEST_LOOK_S:
            return
        count = float(max(0, obs.n_req))
        since, until = before + belief.tz, obs.now + belief.tz
        days = self.demand.clock(until) - self.demand.clock(since)
        fade = 0.5 ** (days / _FADE_DAYS)
        belief.requests = belief.requests * fade + count
        belief.watched_days = belief.watched_days * fade + days
        kind.count(count, days)
        belief.learn_demand(kind.requests_per_day)
        self.demand.see(since, until, count, belief)
        if obs.now >= self.next_demand and self.demand.is_due:
            self.demand.learn()
            self.next_demand = obs.now + _REFRESH_S

    def _learn_change(self, belief: KeyBelief, kind: TypeBelief, obs: Observation) -> None:
        assert obs.prev is not None
        changed = bool(obs.changed)
        since, until = obs.prev + belief.tz, obs.now + belief.tz
        exposure = kind.week.clock(until) - kind.week.clock(since)
        background = belief.change_rate * exposure
        other = self._learn_schedule(obs, kind, (since, until), background)
        days = (until - since) / DAY_S
        belief.like = kind.prior.look(belief.like, exposure, changed=changed, other=other, days=days)
        belief.change_rate = max(_LEAST_RATE, kind.prior.posterior_mean(belief.like))
        belief.looks += 1
        belief.changes += changed
        kind.week.see(since, until, 1.0 if changed else 0.0, belief, other=other)

    def _learn_schedule(
        self, obs: Observation, kind: TypeBelief, span: tuple[float, float], background: float
    ) -> float:
        """Take an interval into the key's schedule; return the probability that nothing scheduled came in it."""
        schedule = self._schedule(obs.key, kind)
        if schedule is None:
            return 1.0
        quiet = math.exp(-schedule.hazard(*span))
        schedule.look(*span, changed=bool(obs.changed), background=background)
        if obs.changed:
            schedule.spent(span[1], (1.0 - quiet) / max(1e-12, 1.0 - quiet * math.exp(-background)))
        return quiet

    def _schedule(self, key: str, kind: TypeBelief) -> Schedule | None:
        """Return the key's schedule, settled; ``None`` where its type has none."""
        if not kind.scheduled:
            return None
        schedule = self.schedules.get(key)
        if schedule is None:
            schedule = self.schedules[key] = Schedule(kind.scheduled, kind.starts)
            if len(self.schedules) > MAX_SCHEDULES:
                self.schedules.popitem(last=False)
        else:
            self.schedules.move_to_end(key)
        schedule.settle()
        return schedule

    def _refresh(self, kind: TypeBelief, now: float) -> None:
        """Learn anew what the type's keys share, now and then."""
        if kind.next_refresh is not None and not kind.next_refresh <= now:
            if kind.next_refresh - now <= _REFRESH_S:
                return
            kind.next_refresh = kind.next_shape = kind.next_pool = now  # the clock jumped back
        first, kind.next_refresh = kind.next_refresh is None, now + _REFRESH_S
        if first:
            return
        if now >= kind.next_shape and kind.week.is_due:
            self._lend_shape(kind)
            kind.week.learn()
            kind.next_shape = now + _REFRESH_S
        if kind.scheduled and now >= kind.next_pool:
            self._pool_schedules(kind)
            kind.next_pool = now + _POOL_S
        kind.prior.learn([b.like for b in kind.sample.values()])

    def _lend_shape(self, kind: TypeBelief) -> None:
        """Set the prior shape of a type's week to what the other types of its sort have shown."""
        if kind.name not in DAYTIME:
            return
        others = [t.week for t in self.types.values() if t is not kind and t.name in DAYTIME]
        kind.week.prior_hours = pooled([w.hour_tally for w in others], OPEN_HOURS, _HOUR_POOL)
        kind.week.prior_days = pooled([w.day_tally for w in others], _FLAT_WEEK, _DAY_POOL)

    def _pool_schedules(self, kind: TypeBelief) -> None:
        """Learn from all schedules of a type how common they are and when they begin."""
        found = [s for s in (self.schedules.get(k) for k in kind.sample) if s is not None]
        starts = [[0.0] * BINS for _ in WIDTHS]
        total = 0.0
        for schedule in found:
            sure = schedule.probability
            total += sure
            scale = 1.0 - sure
            for row, odds in zip(starts, schedule.odds, strict=True):
                for i, v in enumerate(odds):
                    if v * scale > 1e-3:
                        row[i] += v * scale
        prior = kind.prior_schedule
        kind.scheduled = min(0.97, max(0.02, (2.0 * prior + total) / (2.0 + len(found))))
        weight, scale = total / (total + 2.0), max(total, 1e-9)
        kind.starts = [
            [(1.0 - weight) * p + weight * v / scale for p, v in zip(plain, row, strict=True)]
            for plain, row in zip(PLAIN, starts, strict=True)
        ]
        for schedule in found:
            schedule.renew(kind.scheduled, kind.starts)

    def _lifetime(self, key: str, belief: KeyBelief, kind: TypeBelief, price: float) -> float:
        if price <= 0.0:
            return 0.0
        mixture = kind.prior.mixture(belief.like)
        made = self._plan(key, belief, kind, (price, mixture))
        assert belief.fetched_at is not None
        lifetime = _crossing(made, belief.fetched_at + belief.tz, mixture, self._schedule(key, kind))
        return min(LONGEST_S, lifetime, _exploring(belief, kind))

    def _plan(self, key: str, belief: KeyBelief, kind: TypeBelief, terms: tuple[float, Mixture]) -> Plan:
        """Return a plan for the key's present rates: the one made before, where it still fits."""
        price, mixture = terms
        assert belief.fetched_at is not None
        local = belief.fetched_at + belief.tz
        rate = _effective_rate(mixture, belief, price)
        made = self._plans.get(key)
        if made is not None and _fits(made, local, (rate, belief.request_rate, price)):
            self._plans.move_to_end(key)
            return made
        schedule = self._schedule(key, kind)
        outlook = Outlook(rate, belief.request_rate, price, kind.week, self.demand, schedule)
        made = self._plans[key] = plan(local, outlook)
        self._plans.move_to_end(key)
        if len(self._plans) > MAX_PLANS:
            self._plans.popitem(last=False)
        return made

    def _retry(self, belief: KeyBelief, obs: Observation, price: float) -> float:
        """Return the wait before the next try of a call that failed.

        The longer a failure has lasted, the longer it is likely to last still: with as much time to
        come as has passed, waits of sqrt(2 x price x time / stale serves a day) cost least.
        """
        if belief.failing_since is None or belief.failing_since > obs.now:
            belief.failing_since = obs.now
        stale = self.stale_probability(obs.key, obs.now)
        lasted = max(obs.now - belief.failing_since, _RETRY_LEAST_S) / DAY_S
        lost = max(belief.request_rate * max(stale, 0.02), 1e-9)
        return min(_RETRY_MOST_S, math.sqrt(2.0 * price * lasted / lost) * DAY_S)


def _exploring(belief: KeyBelief, kind: TypeBelief) -> float:
    """Return the longest lifetime of a key that is hardly known: it grows fourfold with each look.

    Before the first looks demand is a guess, and a copy kept too long would hide that it was wrong. It
    costs a key at most a few calls in all.
    """
    if belief.looks >= _EXPLORED_LOOKS:
        return math.inf
    usual = max(_LEAST_RATE, kind.prior.posterior_mean(flat()))
    return _FIRST_CHANGES / usual * DAY_S * 4.0**belief.looks


def _effective_rate(mixture: Mixture, belief: KeyBelief, price: float) -> float:
    """Return the rate that, were it certain, would leave a copy as fresh after a lifetime as the mixture does."""
    rate = belief.change_rate
    for _ in range(3):
        exposure = min(changes_at_expiry(belief.request_rate / rate, price), _MOST_CHANGES) / rate
        rate = max(_LEAST_RATE, -math.log(max(same_probability(mixture, exposure), 1e-12)) / exposure)
    return rate


def _fits(made: Plan, local: float, terms: tuple[float, float, float]) -> bool:
    rate, requests, price = terms
    return (
        made.times[0] <= local < made.until
        and made.price == price
        and abs(math.log(rate / made.change_rate)) < _RATE_SLACK
        and abs(math.log(requests / made.request_rate)) < _DEMAND_SLACK
    )


def _crossing(made: Plan, now: float, mixture: Mixture, schedule: Schedule | None) -> float:
    """Return the seconds until a copy fetched at ``now`` is as likely stale as the plan's threshold."""
    times, threshold, exposure = made.times, made.threshold, made.exposure
    n = len(times) - 1
    i = made.index(now)
    part = (now - times[i]) / (times[i + 1] - times[i])
    start = exposure[i] + part * (exposure[i + 1] - exposure[i])

    def excess(j: int) -> float:
        same = same_probability(mixture, exposure[j] - start)
        if schedule is not None:
            same *= math.exp(-schedule.hazard(now, times[j]))
        return 1.0 - same - threshold[j]

    j = max(made.best[i], i + 1)
    above = excess(j)
    if above < 0.0:
        below = above
        while above < 0.0:
            if j == n:
                return times[n] - now
            j += 1
            below, above = above, excess(j)
        since = times[j - 1]
    else:
        below, since = -threshold[i], now
        while j - 1 > i:
            before = excess(j - 1)
            if before < 0.0:
                below, since = before, times[j - 1]
                break
            j, above = j - 1, before
    share = -below / (above - below) if above > below else 1.0
    return max(0.0, since + (times[j] - since) * min(1.0, max(0.0, share)) - now)


def _likeliest_minute(schedule: Schedule | None) -> int | None:
    if schedule is None or schedule.probability < 0.5:
        return None
    odds = [sum(row[i] for row in schedule.odds) for i in range(BINS)]
    return 5 * max(range(BINS), key=odds.__getitem__)


def _sane(value: float, instead: float, most: float) -> float:
    """Return ``value`` within 0 and ``most``; ``instead`` of what is no number."""
    return instead if math.isnan(value) else min(most, max(0.0, value))
