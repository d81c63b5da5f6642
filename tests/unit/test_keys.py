"""Record keys and their text form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, near_key, query_key


@given(st.sampled_from(list(DataType)), st.text(min_size=1, max_size=60).filter(lambda t: t.isprintable()))
def test_a_key_survives_its_text_form(data_type: DataType, native_id: str) -> None:
    key = RecordKey(data_type, "weedmaps", native_id)
    assert RecordKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "menu:weedmaps:1",
        "dispensary_menu:Weedmaps:1",
        "dispensary_menu:weedmaps:",
        "dispensary_menu:weedmaps:a b",
        "dispensary_menu:weedmaps:%ff",
        "dispensary_menu:weedmaps:1:UPPER",
        "dispensary_menu:weedmaps:1:a:b",
        "dispensary_menu:weedmaps:" + "a" * 4096,
    ],
)
def test_what_is_no_key_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput):
        RecordKey.parse(text)


def test_the_order_of_query_terms_does_not_matter() -> None:
    assert query_key(DataType.LAB_RESULTS, "socrata_ct", a="1", b="2") == query_key(
        DataType.LAB_RESULTS, "socrata_ct", b="2", a="1"
    )


def test_digests_have_20_bytes_and_differ() -> None:
    one, other = near_key("jane", "85268cdbfffffff"), near_key("dutchie", "85268cdbfffffff")
    assert len(one.digest) == 20
    assert one.digest != other.digest
    assert one.is_search
