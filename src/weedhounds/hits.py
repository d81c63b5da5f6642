"""The short way to what the memory tier holds fresh: no waiting, no deadline, no other tier.

Serves exactly what the read path would serve from the memory tier, and counts it the same; what is
not there, expired, or must be gone is left to the read path. A hit writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from weedhounds.cache.admission import Held
from weedhounds.cache.entry import Entry
from weedhounds.cache.memory import MemoryTier
from weedhounds.cache.rendered import REUSE_S, Rendered
from weedhounds.clock import Clock
from weedhounds.errors import CodecError
from weedhounds.model.keys import RecordKey
from weedhounds.query import rendering
from weedhounds.query.offers import provenance_of
from weedhounds.readthrough import Found

MAX_KNOWN = 16_384
"""Key texts for which it is remembered where the tier holds them: about 300 bytes each."""


class Hits:
    """What a node answers from its memory tier alone.

    Args:
        storage_limits_s: by configured origin, how long its terms allow to hold an entry, seconds, or
            ``None``. Keys of other origins are left to the read path.
        stale_probability: of an entry at a moment (Unix seconds), 0..1.

    ``entry(text)`` returns the entry of a key's text, where the memory tier has it fresh, else ``None``;
    it raises ``BadInput`` for what is no key.

    Bounds: ``MAX_KNOWN`` key texts; when there would be more, all are forgotten.
    """

    def __init__(
        self,
        memory: MemoryTier,
        clock: Clock,
        storage_limits_s: Mapping[str, float | None],
        stale_probability: Callable[[Entry, float], float],
    ) -> None:
        self._memory = memory
        self._stale_probability = stale_probability
        self._grown = memory.grown
        self._now = clock.now
        self._limits_s = storage_limits_s
        self._known: dict[str, Held[Entry]] = {}
        self.entry = _reader(self._known, memory, clock.now, self._look_up)

    def answer(self, text: str) -> Rendered | None:
        """Return the rendered answer of a key's text, where the memory tier has it fresh.

        ``None`` also for a damaged entry: whoever asks the read path is told.

        Raises:
            BadInput: not a key.
        """
        held, now = self._known.get(text), self._now()
        if held is None or not held.is_held or self._grown:
            entry = self._look_up(text)
            if entry is None:
                return None
        else:  # as in entry(text): a call between two requests costs twice what it costs in a loop
            entry = held.value
            if now >= entry.expires_at:
                return None
            held.served += 1
        answer = entry.rendered
        if answer is None or not 0 <= now - answer.at < REUSE_S:
            try:
                answer = _renewed(entry, answer, now, self._stale_probability(entry, now))
            except CodecError:
                self._memory.not_served(entry.key)
                return None
        return answer

    def _look_up(self, text: str) -> Entry | None:
        key = RecordKey.parse(text)
        if key.origin not in self._limits_s:
            return None
        limit_s = self._limits_s[key.origin]
        entry = self._memory.take_fresh(key, self._now(), limit_s)
        held = self._memory.find(key)
        if held is not None and limit_s is None:  # others are looked up each time: their limit counts
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[text] = held
        return entry


def _reader(
    known: Mapping[str, Held[Entry]],
    memory: MemoryTier,
    now: Callable[[], float],
    look_up: Callable[[str], Entry | None],
) -> Callable[[str], Entry | None]:
    """Return :attr:`Hits.entry`: a closure, whose names cost less than attributes.

    What it checks and counts is what :meth:`MemoryTier.take_fresh` does, in a third of the time.
    """
    grown = memory.grown

    def entry_of(text: str) -> Entry | None:
        try:
            held = known[text]
        except KeyError:
            return look_up(text)
        if grown or not held.is_held:
            return look_up(text)
        entry = held.value
        if now() >= entry.expires_at:
            return None
        held.served += 1
        return entry

    return entry_of


def _renewed(entry: Entry, answer: Rendered | None, now: float, stale_probability: float) -> Rendered:
    """Return the answer as of ``now``; one that was not there is made, and kept with the entry."""
    if answer is None:
        answer = rendering.rendered(entry)
        entry.keep_rendered(answer)
    provenance = provenance_of(Found(entry, "memory"), now, stale_probability)
    answer.renew(rendering.moving(provenance, is_stale=False), provenance, now)
    return answer
