"""Negative entries: what an origin said it does not have, remembered for a short time. Pure."""

from __future__ import annotations

from collections import OrderedDict

from weedhounds.errors import NotFound
from weedhounds.model.keys import RecordKey

LIFETIME_S = 300.0
"""How long it is remembered that an origin has no such record."""
MAX_ENTRIES = 10_000


class NegativeEntries:
    """Keys that an origin answered with "not found".

    Searches are not remembered: one that is not found has a wrong address.

    Bounds: ``MAX_ENTRIES`` keys, the oldest leave first; ``LIFETIME_S`` each.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[RecordKey, tuple[float, NotFound]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: RecordKey, now: float) -> NotFound | None:
        """Return the error that the origin's answer was, while it is remembered (``now``: Unix seconds)."""
        if key not in self._held:
            return None
        until, error = self._held[key]
        if now < until:
            return error
        del self._held[key]
        return None

    def put(self, key: RecordKey, error: NotFound, now: float) -> None:
        """Remember that the origin has no ``key``."""
        if key.is_search:
            return
        self._held.pop(key, None)
        self._held[key] = (now + LIFETIME_S, error)
        if len(self._held) > MAX_ENTRIES:
            self._held.popitem(last=False)

    def discard(self, key: RecordKey) -> None:
        """Forget ``key``: it is there now."""
        self._held.pop(key, None)
