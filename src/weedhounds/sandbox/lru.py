"""A bounded memo: the least recently used entry leaves when it is full."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Remember up to ``capacity`` made values.

    Bounds: never holds more than ``capacity`` entries.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a memo holds at least one entry")
        self._capacity = capacity
        self._held: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of ``key``, made by ``make`` where it is not held."""
        held = self._held
        value = held.pop(key, None)
        if value is None:
            value = make()
            if len(held) >= self._capacity:
                del held[next(iter(held))]
        held[key] = value
        return value

    def put(self, key: K, value: V) -> None:
        """Hold ``value`` as the value of ``key``."""
        self._held.pop(key, None)
        self.get(key, lambda: value)

    def peek(self, key: K) -> V | None:
        """Return the value held, without counting it as used."""
        return self._held.get(key)

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
