"""The learner's state as bytes, and back. Pure: who stores them is up to the caller.

Form: `WHTL`, one byte of version, CRC-32 of the rest, then a MessagePack map. What cannot be used,
because it is damaged or of another version, is told and a learner that knows nothing takes its place.

Plans are not kept (they are made anew), and of intervals only what they add up to.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterable

import msgspec

from weedhounds.ttl.belief import KeyBelief, TypeBelief
from weedhounds.ttl.learner import MAX_KEYS, MAX_SCHEDULES, Learner
from weedhounds.ttl.rates import POINTS
from weedhounds.ttl.schedule import BINS, WIDTHS, Schedule
from weedhounds.ttl.week import SLOTS, WeekShape

VERSION = 1
_MAGIC = b"WHTL"
_HEAD_BYTES = 9
MAX_STATE_BYTES = 512 * 1024 * 1024


class _Week(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    events: list[float]
    exposure: list[float]
    hours: list[float]
    days: list[float]
    hour_tally: tuple[list[float], list[float]]
    day_tally: tuple[list[float], list[float]]
    total: float
    settled: int


class _Type(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    name: str
    week: _Week
    mean: float
    spread: float
    scheduled: float
    starts: list[list[float]]
    requests: float
    watched_days: float


class _Key(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    name: str
    data_type: str
    source: str
    tz: float
    like: bytes
    requests: float
    watched_days: float
    asked_at: float | None
    fetched_at: float | None
    looks: int
    changes: int


class _State(msgspec.Struct, forbid_unknown_fields=True):
    price: float
    demand: _Week
    types: list[_Type]
    keys: list[_Key]
    schedules: list[tuple[str, list[bytes]]]


class Restored(msgspec.Struct, frozen=True):
    """A learner and whether it remembers.

    Args:
        problem: why the state could not be used, for a person; ``None`` where it could.
    """

    learner: Learner
    problem: str | None

    @property
    def is_kept(self) -> bool:
        """Tell whether the stored state is in use."""
        return self.problem is None


class Snapshot:
    """What a learner knows now. Taking it is quick; :meth:`to_bytes`, which is not, may run in a thread.

    The learner may go on meanwhile: a key that learns while it is written is written as before or after,
    or with its counts apart by one look.
    """

    def __init__(self, learner: Learner) -> None:
        self._price = learner.price
        self._demand = _week(learner.demand)
        self._types = [_type(kind) for kind in learner.types.values()]
        self._keys = list(learner.keys.items())
        self._schedules = list(learner.schedules.items())

    def to_bytes(self) -> bytes:
        """Return the state. About 300 bytes a key, 2.4 KB a schedule, 50 KB a data type."""
        state = _State(
            price=self._price,
            demand=self._demand,
            types=self._types,
            keys=[_key(name, belief) for name, belief in self._keys],
            schedules=[(name, [row.tobytes() for row in s.odds]) for name, s in self._schedules],
        )
        body = msgspec.msgpack.encode(state)
        return _MAGIC + bytes([VERSION]) + zlib.crc32(body).to_bytes(4, "big") + body


def dump(learner: Learner) -> bytes:
    """Return the learner's state (:meth:`Snapshot.to_bytes`)."""
    return Snapshot(learner).to_bytes()


def load(data: bytes, *, price: float = 1.0, max_keys: int = MAX_KEYS) -> Restored:
    """Return the learner of which ``data`` is the state; a new one, and why, where it cannot be used.

    Args:
        price: of the new learner, should it come to that.
    """
    problem = _unusable(data)
    if problem is None:
        try:
            return Restored(_learner(msgspec.msgpack.decode(data[_HEAD_BYTES:], type=_State), max_keys), None)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            problem = f"the learner's state is damaged ({error}); it starts afresh"
    return Restored(Learner(price, max_keys=max_keys), problem)


def _unusable(data: bytes) -> str | None:
    if len(data) > MAX_STATE_BYTES:
        return f"the learner's state is larger than {MAX_STATE_BYTES} bytes; it starts afresh"
    if len(data) < _HEAD_BYTES or not data.startswith(_MAGIC):
        return "these bytes are no state of a learner; it starts afresh"
    if data[4] != VERSION:
        return f"the learner's state is of version {data[4]}, this program reads {VERSION}; it starts afresh"
    if zlib.crc32(data[_HEAD_BYTES:]) != int.from_bytes(data[5:_HEAD_BYTES], "big"):
        return "the learner's state is damaged (checksum); it starts afresh"
    return None


def _week(week: WeekShape) -> _Week:
    events, exposure = week.summed()
    return _Week(
        events,
        exposure,
        week.hours,
        week.days,
        week.hour_tally,
        week.day_tally,
        week.total,
        week.settled + len(week.ring),
    )


def _type(kind: TypeBelief) -> _Type:
    starts = [list(row) for row in kind.starts]
    prior = kind.prior
    return _Type(
        kind.name,
        _week(kind.week),
        prior.mean,
        prior.spread,
        kind.scheduled,
        starts,
        kind.requests,
        kind.watched_days,
    )


def _key(name: str, belief: KeyBelief) -> _Key:
    return _Key(
        name,
        belief.data_type,
        belief.source,
        belief.tz,
        belief.like.tobytes(),
        belief.requests,
        belief.watched_days,
        belief.asked_at,
        belief.fetched_at,
        belief.looks,
        belief.changes,
    )


def _learner(state: _State, max_keys: int) -> Learner:
    learner = Learner(_numbers([state.price], 1)[0], max_keys=max_keys)
    learner.demand = _restored_week(state.demand, counts=True)
    for kind in state.types:
        learner.types[kind.name] = _restored_type(kind)
    for key in state.keys[-max_keys:]:
        belief = _restored_key(key)
        kind_of = learner.types.setdefault(key.data_type, TypeBelief(key.data_type))
        belief.change_rate = kind_of.prior.posterior_mean(belief.like)
        belief.learn_demand(kind_of.requests_per_day)
        learner.keys[key.name] = belief
        kind_of.touch(key.name, belief)
    for name, rows in state.schedules[-MAX_SCHEDULES:]:
        if name in learner.keys:
            kind_of = learner.types[learner.keys[name].data_type]
            learner.schedules[name] = _restored_schedule(rows, kind_of)
    return learner


def _restored_week(stored: _Week, *, counts: bool) -> WeekShape:
    week = WeekShape(counts=counts)
    week.settled_events = _numbers(stored.events, SLOTS)
    week.settled_exposure = _numbers(stored.exposure, SLOTS)
    week.hours = _numbers(stored.hours, 48, least=1e-9)
    week.days = _numbers(stored.days, 7, least=1e-9)
    week.hour_tally = (_numbers(stored.hour_tally[0], 48), _numbers(stored.hour_tally[1], 48))
    week.day_tally = (_numbers(stored.day_tally[0], 7), _numbers(stored.day_tally[1], 7))
    week.total = _numbers([stored.total], 1)[0]
    week.settled = max(0, stored.settled)
    week.fill()
    return week


def _restored_type(stored: _Type) -> TypeBelief:
    kind = TypeBelief(stored.name)
    kind.week = _restored_week(stored.week, counts=False)
    kind.prior.mean = _numbers([stored.mean], 1, least=-20.0, most=20.0)[0]
    kind.prior.spread = _numbers([stored.spread], 1, least=0.1, most=20.0)[0]
    kind.prior.fill()
    kind.scheduled = _numbers([stored.scheduled], 1, most=0.99)[0]
    if len(stored.starts) != len(WIDTHS):
        raise ValueError("starts of schedules")
    kind.starts = [_numbers(row, BINS, most=1.0) for row in stored.starts]
    kind.requests, kind.watched_days = _numbers([stored.requests, stored.watched_days], 2)
    return kind


def _restored_key(stored: _Key) -> KeyBelief:
    belief = KeyBelief(stored.data_type, stored.source, _numbers([stored.tz], 1, least=-86_400.0)[0])
    belief.like = _floats(stored.like, POINTS)
    belief.requests, belief.watched_days = _numbers([stored.requests, stored.watched_days], 2)
    belief.asked_at = _moment(stored.asked_at)
    belief.fetched_at = _moment(stored.fetched_at)
    belief.looks, belief.changes = max(0, stored.looks), max(0, stored.changes)
    return belief


def _restored_schedule(rows: list[bytes], kind: TypeBelief) -> Schedule:
    if len(rows) != len(WIDTHS):
        raise ValueError("rows of a schedule")
    schedule = Schedule(kind.scheduled or kind.prior_schedule or 0.02, kind.starts)
    schedule.odds = [_floats(row, BINS) for row in rows]
    schedule.settle()
    return schedule


def _floats(data: bytes, n: int) -> array[float]:
    values = array("f")
    values.frombytes(data)
    _numbers(values, n)
    if not any(values):
        raise ValueError("all weights are zero")
    return values


def _moment(value: float | None) -> float | None:
    return None if value is None else _numbers([value], 1, least=-1e12, most=1e12)[0]


def _numbers(values: Iterable[float], n: int, *, least: float = 0.0, most: float = 1e15) -> list[float]:
    """Return ``values`` where they are ``n`` finite numbers within the limits.

    Raises:
        ValueError: they are not.
    """
    found = list(values)
    if len(found) != n or not all(math.isfinite(v) and least <= v <= most for v in found):
        raise ValueError("a number out of range")
    return found
