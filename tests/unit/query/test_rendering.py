"""The two parts of a rendered answer are the answer."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sample_entries import NOW, menu, menu_entry, menu_key, price_list, raw_entry
from weedhounds.cache.entry import Entry
from weedhounds.errors import CodecError
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Body
from weedhounds.query.answer import RecordAnswer
from weedhounds.query.offers import provenance_of
from weedhounds.query.rendering import Constant, Moving, moving, record_answer, rendered
from weedhounds.readthrough import Found

PRICES = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "7")


def in_parts(entry: Entry, now: float, *, is_stale: bool) -> bytes:
    provenance = provenance_of(Found(entry, "memory"), now, 0.25)
    answer = rendered(entry)
    answer.renew(moving(provenance, is_stale=is_stale), provenance, now)
    return answer.body


def whole(entry: Entry, now: float, *, is_stale: bool) -> bytes:
    return msgspec.json.encode(
        record_answer(entry, provenance_of(Found(entry, "memory"), now, 0.25), is_stale=is_stale)
    )


def entry_of(key: RecordKey, record: Body) -> Entry:
    return Entry.of(key, record, fetched_at=NOW + 0.12345, expires_at=NOW + 600.98765)


@given(
    shop=st.text(min_size=1, max_size=30).filter(str.isprintable),
    products=st.integers(0, 5),
    marker=st.text(max_size=40),
    age_s=st.floats(0, 1e7),
    is_stale=st.booleans(),
)
def test_both_parts_together_are_the_answers_json(
    shop: str, products: int, marker: str, age_s: float, is_stale: bool
) -> None:
    entry = entry_of(menu_key(shop), menu(shop, products, marker))
    now = NOW + age_s
    assert in_parts(entry, now, is_stale=is_stale) == whole(entry, now, is_stale=is_stale)


def test_prices_are_rendered_as_decimal_text() -> None:
    entry = entry_of(PRICES, price_list("7", 3))
    body = in_parts(entry, NOW + 60, is_stale=False)
    assert body == whole(entry, NOW + 60, is_stale=False)
    assert b'{"amount":"20","currency":"USD"}' in body


def test_every_field_of_an_answer_is_in_one_part_and_in_order() -> None:
    assert Constant.__struct_fields__ + Moving.__struct_fields__ == RecordAnswer.__struct_fields__


def test_a_record_that_is_not_held_is_not_kept_for_having_been_rendered() -> None:
    made = menu_entry("1")
    entry = Entry(made.key, made.body, fetched_at=NOW, expires_at=NOW + 60, digest=made.digest, origins=made.origins)
    assert rendered(entry).body
    assert not entry.is_decoded


def test_a_damaged_entry_is_not_rendered() -> None:
    with pytest.raises(CodecError):
        rendered(raw_entry("1", b"nonsense"))
