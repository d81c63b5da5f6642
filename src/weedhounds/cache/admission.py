"""S3-FIFO: which values stay within a byte budget, and who leaves. Pure: no clock, no I/O, no threads.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction" (SOSP 2023).
New keys enter a small queue (a twentieth of the budget). Those asked for again while in it move to the
main queue, the rest leave and are remembered by hash in the ghost queue; a key that comes back
while remembered enters the main queue at once. The main queue gives a value one more round for
each use, at most three.

Ours besides: a value whose turn it is to leave may first be made lighter, and then goes round its queue again.

Invariants: the weights held sum to at most the budget; a hit moves nothing; the ghost queue holds
no values and at most as many hashes as there are values held (at least ``MIN_GHOSTS``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_USES = 3
"""Rounds that uses can earn. 7 and 15 gain at most 0.1 % of Belady's optimum (design note 0017)."""
SMALL_FRAC = 0.05
"""Share of the budget that the small queue may hold before it is evicted from first. Measured over six
traces: 0.857 of Belady's optimum with 0.05, 0.851 with the paper's 0.1, 0.840 with 0.2 (design note
0017). Below 0.05 the gain is under 0.4 % and a queue of large menus would hold two or three."""
MIN_GHOSTS = 64


class Held(Generic[V]):
    """A value held, with its weight, its uses since it last went round, and the queue it is in.

    Whoever keeps one looks at ``is_held`` first (once its key has left, it holds no value any more) and
    may serve the value again and again: adding one to ``served`` is all that a hit costs.

    Args:
        served: times that it was served by whoever kept it; grows only.
        taken, drained: how many of them were taken note of by :meth:`take_served` and :meth:`drain_served`.
    """

    __slots__ = ("_credited", "_earned", "drained", "is_held", "is_main", "served", "taken", "value", "weight")

    def __init__(self, value: V, weight: int, *, is_main: bool) -> None:
        self.is_held = True
        self.value = value
        self.weight = weight
        self.is_main = is_main
        self.served = 0
        self.taken = 0
        self.drained = 0
        self._credited = 0
        self._earned = 0

    @property
    def uses(self) -> int:
        """Return the rounds that its uses have earned, at most ``MAX_USES``."""
        return min(MAX_USES, self._earned + self.served - self._credited)

    def use(self) -> None:
        """Count a use that ``served`` does not count."""
        self._earned += 1

    def keep_uses(self, uses: int) -> None:
        """Let it have earned so many rounds, whatever it was used for before."""
        self._earned, self._credited = uses, self.served

    def take_served(self) -> int:
        """Return how often it was served since the last call."""
        count, self.taken = self.served - self.taken, self.served
        return count

    def drain_served(self) -> int:
        """Return how often it was served since the last call; apart from :meth:`take_served`."""
        count, self.drained = self.served - self.drained, self.served
        return count

    def let_go(self) -> V:
        """Give the value up."""
        value, self.is_held = self.value, False
        del self.value
        return value


class S3Fifo(Generic[K, V]):
    """A mapping whose values weigh at most ``budget`` together.

    Args:
        budget: greatest weight of all values held.
        lighten: called with a value whose turn it is to leave; makes it lighter and returns its new
            weight, or ``None`` where it cannot be lighter: then it leaves.

    ``find`` returns what is held, so that its use can be counted once it is known to be one;
    ``left_small`` and ``left_main`` count the values that left the small queue unused and the main queue
    after their uses, ``lightened`` those made lighter instead.

    Bounds: ``budget`` for the weights; the ghost queue as the module says. Every call is O(1)
    amortised over the evictions that it causes.
    """

    def __init__(self, budget: int, lighten: Callable[[V], int | None] | None = None) -> None:
        self.budget = budget
        self.left_small = 0
        self.left_main = 0
        self.lightened = 0
        self._lighten = lighten
        self._small_target = max(1, int(budget * SMALL_FRAC))
        self._all: dict[K, Held[V]] = {}
        self.find: Callable[[K], Held[V] | None] = self._all.get  # the dict's own method: no call of ours on a hit
        self._small: OrderedDict[K, Held[V]] = OrderedDict()
        self._main: OrderedDict[K, Held[V]] = OrderedDict()
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
        return len(self._all)

    def __iter__(self) -> Iterator[K]:
        return iter(self._all)

    def all_held(self) -> Iterable[tuple[K, Held[V]]]:
        """Return every key with what is held of it, to be walked at once."""
        return self._all.items()

    def get(self, key: K) -> V | None:
        """Return the value held, counting the use."""
        held = self._all.get(key)
        if held is None:
            return None
        held.use()
        return held.value

    def peek(self, key: K) -> V | None:
        """Return the value held without counting a use."""
        held = self._all.get(key)
        return None if held is None else held.value

    def put(self, key: K, value: V, weight: int) -> int:
        """Hold ``value``; return how many values left to make room.

        A value heavier than the budget is refused: the key is then not held, and nothing else leaves.
        """
        held = self._all.get(key)
        if weight > self.budget:
            self.remove(key)
            return 0
        if held is not None:
            held.value = value
            return self.reweigh(key, weight)
        left = self._make_room(weight)
        self._enter(key, Held(value, weight, is_main=self._forget(key)))
        return left

    def reweigh(self, key: K, weight: int) -> int:
        """Correct the weight of a held value; return how many values left, itself perhaps included."""
        held = self._all.get(key)
        if held is None:
            return 0
        self._count(held, weight - held.weight)
        held.weight = weight
        return self._make_room(0)

    def remove(self, key: K) -> V | None:
        """Let go of ``key`` and return its value; it is not remembered as a ghost."""
        held = self._all.pop(key, None)
        if held is None:
            return None
        del (self._main if held.is_main else self._small)[key]
        self._count(held, -held.weight)
        return held.let_go()

    def clear(self) -> None:
        """Let go of everything, ghosts included."""
        for held in self._all.values():
            held.let_go()
        for queue in (self._all, self._small, self._main, self._ghosts):
            queue.clear()
        self._small_weight = self._main_weight = 0

    def _enter(self, key: K, held: Held[V]) -> None:
        self._all[key] = held
        (self._main if held.is_main else self._small)[key] = held
        self._count(held, held.weight)

    def _count(self, held: Held[V], weight: int) -> None:
        if held.is_main:
            self._main_weight += weight
        else:
            self._small_weight += weight

    def _make_room(self, weight: int) -> int:
        left = 0
        while self._all and self._small_weight + self._main_weight + weight > self.budget:
            if self._small and (self._small_weight >= self._small_target or not self._main):
                left += self._step_small()
            else:
                left += self._step_main()
        return left

    def _step_small(self) -> int:
        """Take the oldest of the small queue: on to the main queue if it was used, else lighter or out."""
        key, held = self._small.popitem(last=False)
        self._small_weight -= held.weight
        if held.uses:
            held.keep_uses(0)
            held.is_main = True
            self._main[key] = held
            self._main_weight += held.weight
            return 0
        if self._is_lightened(held):
            self._small[key] = held
            self._small_weight += held.weight
            return 0
        del self._all[key]
        held.let_go()
        self._remember(key)
        self.left_small += 1
        return 1

    def _step_main(self) -> int:
        """Take the oldest of the main queue: to its end again if it was used, else lighter or out."""
        key, held = self._main.popitem(last=False)
        uses = held.uses
        if uses:
            held.keep_uses(uses - 1)
            self._main[key] = held
            return 0
        self._main_weight -= held.weight
        if self._is_lightened(held):
            self._main[key] = held
            self._main_weight += held.weight
            return 0
        del self._all[key]
        held.let_go()
        self.left_main += 1
        return 1

    def _is_lightened(self, held: Held[V]) -> bool:
        """Make a value lighter before it would leave; tell whether it could be."""
        weight = self._lighten(held.value) if self._lighten is not None else None
        if weight is None:
            return False
        held.weight = weight
        self.lightened += 1
        return True

    def _remember(self, key: K) -> None:
        self._ghosts[hash(key)] = None
        while len(self._ghosts) > max(MIN_GHOSTS, len(self._all)):
            self._ghosts.popitem(last=False)

    def _forget(self, key: K) -> bool:
        """Take ``key`` out of the ghost queue; tell whether it was there."""
        if hash(key) not in self._ghosts:
            return False
        del self._ghosts[hash(key)]
        return True
