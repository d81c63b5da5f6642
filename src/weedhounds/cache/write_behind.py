"""Writes that gather until a writer commits them. No I/O, no database of its own.

Invariants: what was added is readable here until it is committed; a commit that fails lets go of
nothing; a value that was discarded or replaced after it was taken is not written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from weedhounds.errors import TierUnavailable

if TYPE_CHECKING:
    from weedhounds.cache.totals import Totals

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")


class WriteBehind(Generic[K, V, R]):
    """A map of writes that gather until the writer commits them; readable meanwhile.

    The event loop adds, looks up and discards; the writer, which may be a thread, takes. A value
    that was discarded or replaced after it was taken is not written.

    Args:
        store: the work that writes the items, within the writer's transaction, which has locked the
            totals; what it returns is handed to ``committed``.
        committed: told after the commit, by the writer.
        weigh: what an item counts while it waits.
        max_items, max_weight: beyond either, whoever adds should first wait for a commit.
        is_dispensable: what cannot be committed is let go instead of kept and tried again.

    Bounds: the two limits plus what is added in one go.
    """

    def __init__(
        self,
        store: Callable[[Mapping[K, V], Totals], Generator[Any, Any, R]],
        committed: Callable[[R], None],
        weigh: Callable[[V], int],
        *,
        max_items: int,
        max_weight: int,
        is_dispensable: bool = False,
    ) -> None:
        self._store = store
        self._committed = committed
        self._weigh = weigh
        self._max_items = max_items
        self._max_weight = max_weight
        self._is_dispensable = is_dispensable
        self._result: R | None = None
        self._lock = threading.Lock()
        self._items: dict[K, V] = {}
        self._taken: dict[K, V] = {}
        self.failure: TierUnavailable | None = None
        """why the last commit failed, or ``None``"""
        self.failures = 0
        """commits that failed since start"""
        self.weight = 0
        """what waits, as ``weigh`` counts it"""

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Tell whether a commit should be waited for before more is added."""
        return len(self._items) >= self._max_items or self.weight >= self._max_weight

    def get(self, key: K) -> V | None:
        """Return the value that waits to be written."""
        return self._items.get(key)

    def items(self) -> dict[K, V]:
        """Return a copy of what waits."""
        with self._lock:
            return dict(self._items)

    def add(self, key: K, value: V) -> None:
        """Let a value wait, in place of one that waits already."""
        with self._lock:
            self._drop(key)
            self._items[key] = value
            self.weight += self._weigh(value)

    def discard(self, key: K) -> bool:
        """Take a value back; tell whether one waited."""
        with self._lock:
            return self._drop(key)

    def take(self) -> bool:
        """Fix what the coming transaction writes; tell whether there is anything. Writer only."""
        with self._lock:
            self._taken = dict(self._items)
            if not self._taken:
                self.failure = None
        return bool(self._taken)

    def write(self, totals: Totals) -> Generator[Any, Any, None]:
        """Write what was taken and is still wanted; may be run again. Writer only, which has locked ``totals``."""
        with self._lock:
            wanted = {key: value for key, value in self._taken.items() if self._items.get(key) is value}
        self._result = (yield from self._store(wanted, totals)) if wanted else None

    def finish(self, error: TierUnavailable | None) -> None:
        """Let go of what was committed, or keep it all (unless it is dispensable). Writer only."""
        with self._lock:
            if error is None or self._is_dispensable:
                for key, value in self._taken.items():
                    if self._items.get(key) is value:
                        self._drop(key)
            self.failures += error is not None and not self._is_dispensable
            self.failure = None if self._is_dispensable else error
            self._taken = {}
        if error is None and self._result is not None:
            self._committed(self._result)
        self._result = None

    def _drop(self, key: K) -> bool:
        value = self._items.pop(key, None)
        if value is None:
            return False
        self.weight -= self._weigh(value)
        return True
