"""Negative entries: what an origin does not have."""

from __future__ import annotations

from weedhounds.cache.negative import LIFETIME_S, MAX_ENTRIES, NegativeEntries
from weedhounds.errors import NotFound
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key, query_key

ABSENT = NotFound("not found")


def strain(slug: str) -> RecordKey:
    return RecordKey(DataType.STRAIN_DATA, "leafly", slug)


def test_an_absent_record_is_remembered_for_its_time() -> None:
    held = NegativeEntries()
    held.put(strain("a"), ABSENT, 100.0)
    assert held.get(strain("a"), 100.0 + LIFETIME_S - 1) is ABSENT
    assert held.get(strain("a"), 100.0 + LIFETIME_S) is None
    assert len(held) == 0


def test_what_came_to_be_is_forgotten() -> None:
    held = NegativeEntries()
    held.put(strain("a"), ABSENT, 100.0)
    held.discard(strain("a"))
    assert held.get(strain("a"), 100.0) is None


def test_a_search_that_is_not_found_is_no_absent_record() -> None:
    held = NegativeEntries()
    for key in (near_key("jane", "85268cdbfffffff"), query_key(DataType.LAB_RESULTS, "socrata_ct", strain="a")):
        held.put(key, ABSENT, 100.0)
    assert len(held) == 0


def test_the_oldest_leave_when_there_are_too_many() -> None:
    held = NegativeEntries()
    for n in range(MAX_ENTRIES + 10):
        held.put(strain(str(n)), ABSENT, 100.0)
    assert len(held) == MAX_ENTRIES
    assert held.get(strain("9"), 100.0) is None
    assert held.get(strain("10"), 100.0) is ABSENT
