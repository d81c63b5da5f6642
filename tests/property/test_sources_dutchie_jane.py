"""Mutated answers: only typed errors, and never a price that does not stand in the item."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weedhounds.errors import SourceError
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.sources import parse
from weedhounds.sources.base import Parsed, Source
from weedhounds.sources.dutchie import DutchieSource
from weedhounds.sources.jane import JaneSource

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FILES = [
    ("dutchie", "menu_edge_cases.json"),
    ("dutchie", "shops.json"),
    ("jane", "menu_edge_cases.json"),
    ("jane", "stores.json"),
    ("jane", "store.json"),
]
ODD: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    7,
    1e308,
    10**30,
    10**500,
    1e-300,
    "1e-999999999",
    "1e999999999",
    0.1 + 0.2,
    float("nan"),
    float("-inf"),
    "",
    "NaN",
    "1e999",
    "-5.5",
    " 12 ",
    "$3.10",
    "\ud800",
    "x" * 3000,
    "2 x 0/0 g",
    [],
    {},
    [[]],
    [None, "1", {}],
    {"range": "none", "values": {}, "children": 3, "lat": "x", "name": []},
]
LIMITED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, index or name) below ``value``."""
    names = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for name in names:
        yield value, name
        yield from places(value[name])


def items_of(document: Any) -> list[Any]:
    """Return the items of the answer: the longest list of it, or the answer itself."""
    lists = [c[n] for c, n in places(document) if isinstance(c[n], list)]
    return max(lists, key=len, default=[]) or [document]


def mutate(document: Any, random: Random, times: int) -> None:
    """Replace, delete, repeat or copy values at random places in place, mostly inside items."""
    for _ in range(times):
        root = random.choice(items_of(document)) if random.random() < 0.9 else document
        below = list(places(root))
        if not below:
            continue
        container, name = random.choice(below)
        action = random.randrange(4)
        if action == 0 and isinstance(container, dict):
            del container[name]
        elif action == 1 and isinstance(container, list):
            container.insert(name, deepcopy(random.choice(container)))
        elif action == 2:
            other, there = random.choice(below)
            container[name] = deepcopy(other[there])
        else:
            container[name] = deepcopy(random.choice(ODD))


def prices_in(value: Any) -> Iterator[Decimal]:
    """Yield every number that stands in ``value``, as the parser rounds prices."""
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from prices_in(child)
    elif not isinstance(value, bool) and isinstance(value, int | float | str):
        try:
            number = Decimal(str(value).strip().lstrip("$").replace(",", ""))
        except InvalidOperation:
            return
        if number.is_finite() and -(10**8) < number < 10**8:
            yield round(number, 4)


def prices_by_item(document: Any) -> dict[str, set[Decimal]]:
    """Return, by item id, the numbers in the item's price fields; items of one id together."""
    found: dict[str, set[Decimal]] = {}
    for container, name in places(document):
        item = container[name]
        if not isinstance(item, dict):
            continue
        told = {n for field, v in item.items() if "price" in field.lower() for n in prices_in(v)}
        for id_field in ("_id", "id", "objectID", "product_id"):
            if isinstance(item.get(id_field), str | int):
                found.setdefault(str(item[id_field]).strip(), set()).update(told)
    return found


def parsed_or_refused(origin: str, body: bytes) -> Parsed | None:
    try:
        return parse(origin, body)
    except SourceError:
        return None


@pytest.mark.parametrize(("origin", "file"), FILES)
@given(seed=st.integers(0, 2**32), times=st.integers(1, 12))
@LIMITED
def test_mutated_answers_give_typed_errors_and_no_price_from_elsewhere(
    origin: str, file: str, seed: int, times: int
) -> None:
    document = json.loads((GOLDEN / origin / file).read_bytes())
    mutate(document, Random(seed), times)
    parsed = parsed_or_refused(origin, json.dumps(document).encode())
    if parsed is None:
        return
    told = prices_by_item(document)
    for price in parsed.prices:
        assert round(price.price.amount, 4) in told[price.product_id]
        assert round(price.list_price.amount, 4) in told[price.product_id]
        assert 0 < price.price.amount <= price.list_price.amount
    ids = [p.id for p in parsed.products]
    assert len(ids) == len(set(ids))
    assert {p.product_id for p in parsed.prices} <= set(ids)
    assert len(ids) + len(parsed.shops) <= parsed.seen
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


def dutchie() -> Source:
    return DutchieSource(DutchieSource.info().live)


def jane() -> Source:
    live = JaneSource.info().live
    return JaneSource(
        type(live)(origin=live.origin, base_url="", budget=live.budget, terms=live.terms, keys={"search_key": "k"})
    )


@pytest.mark.parametrize("make", [dutchie, jane])
@given(seen=st.integers(0, 10**9), total=st.none() | st.integers(-(10**30), 10**30))
@LIMITED
def test_the_pages_that_follow_are_bounded_whatever_the_answer_claims(
    make: Callable[[], Source], seen: int, total: int | None
) -> None:
    source = make()
    key = RecordKey(DataType.DISPENSARY_MENU, source.config.origin, "1517")
    (call,) = source.plan([key], {})[0].calls
    calls = source.follow(call, Parsed(seen=seen, total=total))
    assert len(calls) <= 40
    for further in calls:
        assert len(source.follow(further, Parsed(seen=seen, total=total))) <= 40
