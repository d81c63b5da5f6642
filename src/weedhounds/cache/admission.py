"""S3-FIFO: which values stay within a byte budget, and who leaves. Pure: no clock, no I/O, no threads.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction" (SOSP 2023).
New keys enter a small queue (a tenth of the budget). Those asked for again while in it move to the
main queue, the rest leave and are remembered by hash in the ghost queue; a key that comes back
while remembered enters the main queue at once. The main queue gives a value one more round for
each use, at most three.

Invariants: the weights held sum to at most the budget; a hit moves nothing; the ghost queue holds
no values and at most as many hashes as there are values held (at least ``MIN_GHOSTS``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_USES = 3
SMALL_FRAC = 0.1
"""Share of the budget that the small queue may hold before it is evicted from first (the paper's)."""
MIN_GHOSTS = 64


class _Node(Generic[V]):
    __slots__ = ("is_main", "uses", "value", "weight")

    def __init__(self, value: V, weight: int, *, is_main: bool) -> None:
        self.value = value
        self.weight = weight
        self.is_main = is_main
        self.uses = 0


class S3Fifo(Generic[K, V]):
    """A mapping whose values weigh at most ``budget`` together.

    Bounds: ``budget`` for the weights; the ghost queue as the module says. Every call is O(1)
    amortised over the evictions that it causes.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._small_target = max(1, int(budget * SMALL_FRAC))
        self._nodes: dict[K, _Node[V]] = {}
        self._small: OrderedDict[K, _Node[V]] = OrderedDict()
        self._main: OrderedDict[K, _Node[V]] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()
        self._small_weight = 0
        self._main_weight = 0

    @property
    def weight(self) -> int:
        """Return the weight of all values held."""
        return self._small_weight + self._main_weight

    @property
    def ghosts(self) -> int:
        """Return how many keys that left are remembered."""
        return len(self._ghosts)

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[K]:
        return iter(self._nodes)

    def get(self, key: K) -> V | None:
        """Return the value held, counting the use."""
        node = self._nodes.get(key)
        if node is None:
            return None
        if node.uses < MAX_USES:
            node.uses += 1
        return node.value

    def peek(self, key: K) -> V | None:
        """Return the value held without counting a use."""
        node = self._nodes.get(key)
        return None if node is None else node.value

    def put(self, key: K, value: V, weight: int) -> int:
        """Hold ``value``; return how many values left to make room.

        A value heavier than the budget is refused: the key is then not held, and nothing else leaves.
        """
        node = self._nodes.get(key)
        if weight > self.budget:
            self.remove(key)
            return 0
        if node is not None:
            node.value = value
            return self.reweigh(key, weight)
        left = self._make_room(weight)
        self._enter(key, _Node(value, weight, is_main=self._forget(key)))
        return left

    def reweigh(self, key: K, weight: int) -> int:
        """Correct the weight of a held value; return how many values left, itself perhaps included."""
        node = self._nodes.get(key)
        if node is None:
            return 0
        self._count(node, weight - node.weight)
        node.weight = weight
        return self._make_room(0)

    def remove(self, key: K) -> V | None:
        """Let go of ``key`` and return its value; it is not remembered as a ghost."""
        node = self._nodes.pop(key, None)
        if node is None:
            return None
        del (self._main if node.is_main else self._small)[key]
        self._count(node, -node.weight)
        return node.value

    def clear(self) -> None:
        """Let go of everything, ghosts included."""
        for queue in (self._nodes, self._small, self._main, self._ghosts):
            queue.clear()
        self._small_weight = self._main_weight = 0

    def _enter(self, key: K, node: _Node[V]) -> None:
        self._nodes[key] = node
        (self._main if node.is_main else self._small)[key] = node
        self._count(node, node.weight)

    def _count(self, node: _Node[V], weight: int) -> None:
        if node.is_main:
            self._main_weight += weight
        else:
            self._small_weight += weight

    def _make_room(self, weight: int) -> int:
        left = 0
        while self._nodes and self._small_weight + self._main_weight + weight > self.budget:
            if self._small and (self._small_weight >= self._small_target or not self._main):
                left += self._step_small()
            else:
                left += self._step_main()
        return left

    def _step_small(self) -> int:
        """Take the oldest of the small queue: on to the main queue if it was used, else out."""
        key, node = self._small.popitem(last=False)
        self._small_weight -= node.weight
        if node.uses:
            node.uses = 0
            node.is_main = True
            self._main[key] = node
            self._main_weight += node.weight
            return 0
        del self._nodes[key]
        self._remember(key)
        return 1

    def _step_main(self) -> int:
        """Take the oldest of the main queue: to its end again if it was used, else out."""
        key, node = self._main.popitem(last=False)
        if node.uses:
            node.uses -= 1
            self._main[key] = node
            return 0
        self._main_weight -= node.weight
        del self._nodes[key]
        return 1

    def _remember(self, key: K) -> None:
        self._ghosts[hash(key)] = None
        while len(self._ghosts) > max(MIN_GHOSTS, len(self._nodes)):
            self._ghosts.popitem(last=False)

    def _forget(self, key: K) -> bool:
        """Take ``key`` out of the ghost queue; tell whether it was there."""
        if hash(key) not in self._ghosts:
            return False
        del self._ghosts[hash(key)]
        return True
