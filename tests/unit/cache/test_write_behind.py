"""What gathers stays readable until it is committed, and is written only if still wanted."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import pytest

from weedhounds.cache.totals import Totals
from weedhounds.cache.write_behind import WriteBehind
from weedhounds.errors import TierUnavailable


class Recorded:
    """A write-behind map whose writes and commits are written down."""

    def __init__(self, *, is_dispensable: bool = False) -> None:
        self.stored: list[dict[str, str]] = []
        self.committed: list[int] = []
        self.gathered: WriteBehind[str, str, int] = WriteBehind(
            self._store, self.committed.append, len, max_items=3, max_weight=20, is_dispensable=is_dispensable
        )

    def _store(self, items: Mapping[str, str], totals: Totals) -> Generator[str, None, int]:
        yield "a statement"
        self.stored.append(dict(items))
        return len(items)

    def write(self) -> None:
        """Run the work to its end, as a backend does."""
        for _ in self.gathered.write(Totals({})):
            pass


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def test_what_was_committed_no_longer_waits(recorded: Recorded) -> None:
    recorded.gathered.add("a", "one")
    assert recorded.gathered.take()
    recorded.write()
    assert recorded.gathered.get("a") == "one"
    recorded.gathered.finish(None)
    assert (recorded.gathered.get("a"), len(recorded.gathered), recorded.gathered.weight) == (None, 0, 0)
    assert (recorded.stored, recorded.committed) == ([{"a": "one"}], [1])


def test_what_was_added_after_the_taking_waits_for_the_next_turn(recorded: Recorded) -> None:
    recorded.gathered.add("a", "one")
    recorded.gathered.take()
    recorded.gathered.add("b", "two")
    recorded.gathered.add("a", "newer")
    recorded.write()
    recorded.gathered.finish(None)
    assert recorded.stored == []
    assert recorded.gathered.items() == {"a": "newer", "b": "two"}


def test_what_was_discarded_after_the_taking_is_not_written(recorded: Recorded) -> None:
    recorded.gathered.add("a", "one")
    recorded.gathered.add("b", "two")
    recorded.gathered.take()
    assert recorded.gathered.discard("a")
    assert not recorded.gathered.discard("a")
    recorded.write()
    assert recorded.stored == [{"b": "two"}]


def test_what_was_replaced_while_it_was_written_still_waits(recorded: Recorded) -> None:
    recorded.gathered.add("a", "one")
    recorded.gathered.take()
    recorded.write()
    recorded.gathered.add("a", "newer")
    recorded.gathered.finish(None)
    assert recorded.gathered.items() == {"a": "newer"}


def test_a_failed_commit_keeps_everything(recorded: Recorded) -> None:
    recorded.gathered.add("a", "one")
    recorded.gathered.take()
    recorded.write()
    error = TierUnavailable("locked")
    recorded.gathered.finish(error)
    assert (recorded.gathered.failure, recorded.gathered.failures) == (error, 1)
    assert recorded.gathered.items() == {"a": "one"}
    assert recorded.committed == []


def test_what_is_dispensable_is_let_go_when_it_cannot_be_committed() -> None:
    recorded = Recorded(is_dispensable=True)
    recorded.gathered.add("a", "one")
    recorded.gathered.take()
    recorded.gathered.add("b", "two")
    recorded.write()
    recorded.gathered.finish(TierUnavailable("locked"))
    assert (recorded.gathered.failure, recorded.gathered.failures) == (None, 0)
    assert recorded.gathered.items() == {"b": "two"}


def test_work_that_is_run_again_writes_what_is_then_still_wanted(recorded: Recorded) -> None:
    """After a deadlock: what was discarded meanwhile stays away."""
    recorded.gathered.add("a", "one")
    recorded.gathered.add("b", "two")
    recorded.gathered.take()
    recorded.write()
    recorded.gathered.discard("a")
    recorded.write()
    recorded.gathered.finish(None)
    assert recorded.stored == [{"a": "one", "b": "two"}, {"b": "two"}]
    assert recorded.committed == [1]


def test_a_failure_is_forgotten_once_nothing_waits(recorded: Recorded) -> None:
    recorded.gathered.add("a", "one")
    recorded.gathered.take()
    recorded.gathered.finish(TierUnavailable("locked"))
    recorded.gathered.discard("a")
    assert not recorded.gathered.take()
    assert recorded.gathered.failure is None


def test_it_is_full_by_number_or_by_weight(recorded: Recorded) -> None:
    recorded.gathered.add("a", "x" * 19)
    assert not recorded.gathered.is_full
    recorded.gathered.add("a", "x" * 20)
    assert recorded.gathered.is_full
    recorded.gathered.add("a", "x")
    recorded.gathered.add("b", "x")
    assert not recorded.gathered.is_full
    recorded.gathered.add("c", "x")
    assert recorded.gathered.is_full
