"""Compressed answers are bounded, the latest used stay, and small ones are not compressed."""

from __future__ import annotations

import brotli
import pytest

from weedhounds.api import packed as packed_answers
from weedhounds.api.packed import Packed
from weedhounds.cache.rendered import Rendered
from weedhounds.codec.render import brotli_start
from weedhounds.model.provenance import Provenance


def answer(name: str, size: int = 20_000) -> Rendered:
    text = "".join(f"{name} {n * n % 977} " for n in range(size // 8))
    rendered = Rendered(b'{"record":"%b"' % text.encode(), digest=name, expires_at=1.0)
    provenance = Provenance(origin="jane", key="k", fetched_at=0.0, age_s=1.0, tier="memory", stale_probability=0.0)
    rendered.renew(b',"age":1}', provenance, 1.0)
    return rendered


def test_what_is_held_stays_within_the_bound_and_the_latest_used_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def counted(document: bytes) -> bytes | None:
        made.append(document)
        return brotli_start(document)

    monkeypatch.setattr(packed_answers, "brotli_start", counted)
    packed = Packed(max_bytes=12_000)
    hits = {name: answer(name) for name in "abcdefgh"}
    for name, hit in hits.items():
        for each in (name, "a"):  # "a" is used all the time
            body = packed.body(each, hits[each])
            assert body is not None
            assert brotli.decompress(body) == hits[each].body
        assert 0 < packed.held_bytes <= 12_000
        assert hit.moving == b',"age":1}'
    assert len(made) == len(hits), "what is used all the time was compressed once"
    packed.body("b", hits["b"])
    assert len(made) == len(hits) + 1, "what was not used had made room"


def test_one_answer_over_the_bound_is_sent_and_not_kept() -> None:
    packed, hit = Packed(max_bytes=100), answer("a")
    body = packed.body("a", hit)
    assert body is not None
    assert brotli.decompress(body) == hit.body
    assert packed.held_bytes == 0


def test_a_small_answer_is_not_compressed() -> None:
    assert Packed().body("a", answer("a", 8)) is None
