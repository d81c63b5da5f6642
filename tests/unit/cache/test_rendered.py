"""A rendered answer is put together again when its moving part is too old."""

from __future__ import annotations

import math

from sample_answers import provenance
from weedhounds.cache.rendered import RENDERED_BYTES, Rendered


def test_an_answer_is_as_of_no_moment_before_its_moving_part_is_there() -> None:
    assert Rendered(b'{"a":1', digest="00", expires_at=9.0).at == -math.inf


def test_the_constant_part_stays_and_the_moving_part_is_replaced() -> None:
    answer = Rendered(b'{"a":1', digest="00", expires_at=9.0)
    answer.renew(b',"age":100}', provenance(), 5.0)
    assert answer.body == b'{"a":1,"age":100}'
    answer.renew(b',"age":7}', provenance(age_s=7.0), 6.0)
    assert (answer.body, answer.provenance.age_s) == (b'{"a":1,"age":7}', 7.0)
    assert answer.weight == RENDERED_BYTES + len(answer.body)


def test_a_new_body_clears_the_fields_that_were_made_for_the_old_one() -> None:
    answer = Rendered(b"{", digest="00", expires_at=9.0)
    answer.fields = ((b"content-length", b"1"),)
    answer.renew(b"}", provenance(), 5.0)
    assert not answer.fields
