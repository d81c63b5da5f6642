"""Mutated answers: only typed errors, and never a price or content that does not stand in the item."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weedhounds.errors import SourceError
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.strains import strain_of
from weedhounds.sources import parse, source_class
from weedhounds.sources.base import Parsed

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FILES = [(o, p.name) for o in ("weedmaps", "leafly", "socrata_ct") for p in sorted((GOLDEN / o).glob("*.json"))]
ODD: list[Any] = [
    None, True, False, -1, 0, 7, 12.5, 1e308, 10**30, 0.1 + 0.2, "", "NaN", "1e999", "-5.5", " 12 ", "$3.10", "<0.1", "ND",
    "101%", "1,5", "x" * 3000, "2 x 0/0 g", "1/0 oz", [], {}, [[]], [None, "1", {}], {"data": [], "price": "1"},
    {"amount": "9.99", "currency": "USD"}, {"amount": 3, "currency": "??"}, {"value": 1e300, "unit": "g"},
]  # fmt: skip
LIMITED = settings(max_examples=60, deadline=None)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, index or name) below ``value``."""
    names = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for name in names:
        yield value, name
        yield from places(value[name])


def mutate(document: Any, random: Random, times: int) -> None:
    """Replace, delete, repeat or copy values at random places of ``document``, in place."""
    for _ in range(times):
        below = list(places(document))
        if not below:
            return
        container, name = random.choice(below)
        action = random.randrange(4)
        if action == 0 and isinstance(container, dict):
            del container[name]
        elif action == 1 and isinstance(container, list):
            container.insert(name, deepcopy(container[name]))
        elif action == 2:
            other, there = random.choice(below)
            container[name] = deepcopy(other[there])
        else:
            container[name] = deepcopy(random.choice(ODD))


def numbers_in(value: Any) -> Iterator[Decimal]:
    """Yield every number that stands in ``value``, as a number or as text, rounded as prices are."""
    for container, name in places([value]):
        found = container[name]
        if isinstance(found, bool) or not isinstance(found, int | float | str):
            continue
        try:
            number = Decimal(str(found).strip().lstrip("$").replace(",", ""))
        except InvalidOperation:
            continue
        if number.is_finite() and abs(number) < 10**8:
            yield round(number, 4)


def numbers_by_id(document: Any) -> dict[str, set[Decimal]]:
    """Return, by id, the numbers in the objects that carry it."""
    found: dict[str, set[Decimal]] = {}
    for container, name in places([document]):
        item = container[name]
        for field in ("id", "menuItemId") if isinstance(item, dict) else ():
            if isinstance(item.get(field), str | int):
                found.setdefault(str(item[field]).strip(), set()).update(numbers_in(item))
    return found


def parsed_or_refused(origin: str, body: bytes) -> Parsed | None:
    try:
        return parse(origin, body)
    except SourceError:
        return None


@pytest.mark.parametrize(("origin", "file"), FILES)
@given(seed=st.integers(0, 2**32), times=st.integers(1, 12))
@LIMITED
def test_mutated_answers_give_typed_errors_and_nothing_that_stands_nowhere(
    origin: str, file: str, seed: int, times: int
) -> None:
    document = json.loads((GOLDEN / origin / file).read_bytes())
    mutate(document, Random(seed), times)
    parsed = parsed_or_refused(origin, json.dumps(document).encode())
    if parsed is None:
        return
    told = numbers_by_id(document)
    for price in parsed.prices:
        assert round(price.price.amount, 4) in told[price.product_id]
        assert round(price.list_price.amount, 4) in told[price.product_id]
        assert 0 < price.price.amount <= price.list_price.amount
    for item in parsed.products:
        for content in item.potency.values():
            assert 0 <= content.low <= content.high
            assert content.unit != "%" or content.high <= 100
    ids = [p.id for p in parsed.products]
    rows = [(p.product_id, p.variant_label, p.market) for p in parsed.prices]
    assert len(ids) == len(set(ids))
    assert len(rows) == len(set(rows))
    assert {p.product_id for p in parsed.prices} <= set(ids)
    for result in parsed.lab_results:
        assert all(r.value is None or 0 <= r.value <= 100 for r in (*result.cannabinoids, *result.terpenes))
    assert len(parsed.records()) >= len(parsed.prices)


@pytest.mark.parametrize(("origin", "file"), FILES)
@given(data=st.data())
@LIMITED
def test_bytes_cut_or_changed_anywhere_give_typed_errors(origin: str, file: str, data: st.DataObject) -> None:
    body = bytearray((GOLDEN / origin / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(body)))
    for changed in (bytes(body), bytes(body[:end])):
        parsed_or_refused(origin, changed)


@pytest.mark.parametrize("origin", ["weedmaps", "leafly", "socrata_ct"])
@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"data":' * 50_000, b'{"data":[{"id":1,"attributes":' + b"[" * 50_000]
)
def test_deep_nesting_gives_typed_errors(origin: str, body: bytes) -> None:
    assert parsed_or_refused(origin, body) is None


@pytest.mark.parametrize("origin", ["weedmaps", "leafly"])
@given(seen=st.integers(0, 10**9), total=st.none() | st.integers(-(10**30), 10**30))
@LIMITED
def test_the_pages_that_follow_are_bounded_whatever_the_answer_claims(
    origin: str, seen: int, total: int | None
) -> None:
    make: Any = source_class(origin)
    source = make(make.info().live)
    (call,) = source.plan([RecordKey(DataType.DISPENSARY_MENU, origin, "1517")], {})[0].calls
    calls = source.follow(call, Parsed(seen=seen, total=total))
    assert len(calls) <= 40
    assert [c.page for c in calls] == list(range(1, len(calls) + 1))
    for further in calls:
        assert len(source.follow(further, Parsed(seen=seen, total=total))) <= 1


@given(st.text(max_size=300))
@LIMITED
def test_a_strain_is_words_of_the_name_or_nothing(name: str) -> None:
    found = strain_of(name)
    if found is not None:
        assert found in " ".join(name.split())
        assert any(c.isalpha() for c in found)
