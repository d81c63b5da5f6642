"""What a strategy is asked with, and the table of what it keeps of keys. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from weedhounds.model.records import OpenPeriod

MAX_KEYS = 200_000


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One call to an origin and what it found.

    Args:
        key: text of the record key; ``dtype``: name of its data type; ``source``: shop or origin.
        base_s: base lifetime of the data type, seconds.
        now, prev: Unix seconds of this call and of the previous one that succeeded.
        ok: the call succeeded; ``changed``: the body differs from the previous one (``None``: first, or failed).
        n_req: requests since the previous call, this one included.
        tz: local time of the source minus UTC, seconds; ``time_zone``: its IANA name, where known.
        hours: the shop's opening periods, where known.
        weight: price of one stale serve.
        last_modified: Unix seconds, where the origin tells it.
        price: of a call, in stale serves.
    """

    key: str
    dtype: str
    source: str
    base_s: float
    now: float
    prev: float | None = None
    ok: bool = True
    changed: bool | None = None
    n_req: int = 1
    tz: float = 0.0
    time_zone: str | None = None
    hours: tuple[OpenPeriod, ...] = ()
    weight: float = 1.0
    last_modified: float | None = None
    price: float = 1.0

    @property
    def waited_s(self) -> float:
        """Return the seconds since the previous successful call; 0 where there is none or the clock jumped back."""
        return max(0.0, self.now - self.prev) if self.prev is not None else 0.0


class Strategy(Protocol):
    """Decides lifetimes. Bounds (least and greatest) are a separate last step."""

    def __call__(self, seen: Seen) -> float:
        """Learn from a successful call and return the lifetime, seconds."""
        ...


T = TypeVar("T")


class KeyTable(OrderedDict[str, T]):
    """What a strategy keeps of each key. Bounds: `MAX_KEYS` keys; those used longest ago leave."""

    def of(self, key: str, make: Callable[[], T]) -> T:
        """Return what is kept of ``key``, made anew where nothing is."""
        if key in self:
            self.move_to_end(key)
            return self[key]
        value = self[key] = make()
        if len(self) > MAX_KEYS:
            self.popitem(last=False)
        return value
