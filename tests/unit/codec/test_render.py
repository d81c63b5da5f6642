"""JSON for browsers: an answer's two parts are one brotli stream."""

from __future__ import annotations

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_codec_records import RECORDS
from weedhounds.codec.base import Format, payload_codec
from weedhounds.codec.render import FROM_BYTES, MOST_BYTES, brotli_start, brotli_whole, render_json
from weedhounds.errors import Corrupt
from weedhounds.model.records import Strain

DOCUMENT = b'{"record": ' + b'{"name": "Sample Kush", "price": "35.00"}, ' * 40


@given(rest=st.binary(max_size=300), document=st.binary(max_size=300))
def test_what_was_compressed_and_what_follows_it_come_back_as_one(document: bytes, rest: bytes) -> None:
    whole = document + DOCUMENT
    start = brotli_start(whole)
    assert start is not None
    assert brotli.decompress(brotli_whole(start, rest)) == whole + rest


@pytest.mark.parametrize("length", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_what_follows_may_be_of_any_length(length: int) -> None:
    start, rest = brotli_start(DOCUMENT), bytes(n * n % 251 for n in range(length))
    assert start is not None
    assert brotli.decompress(brotli_whole(start, rest)) == DOCUMENT + rest


@pytest.mark.parametrize("length", [FROM_BYTES - 1, MOST_BYTES + 1])
def test_a_document_too_short_or_too_long_is_not_compressed(length: int) -> None:
    assert brotli_start(b"x" * length) is None


def test_a_document_that_does_not_become_shorter_is_not_compressed() -> None:
    noise = brotli.compress(b"".join(n.to_bytes(4, "big") for n in range(5_000)), quality=11)[:FROM_BYTES]
    assert brotli_start(noise + bytes(0)) is None


def test_without_the_package_nothing_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weedhounds.codec.render.why_unavailable", lambda _: "not installed")
    assert brotli_start(DOCUMENT) is None


def test_a_rendered_record_is_json_and_its_brotli_is_the_same() -> None:
    document = render_json(RECORDS["menu"])
    assert payload_codec(Format.JSON).decode_payload(document) == RECORDS["menu"]
    start = brotli_start(document)
    assert start is not None
    assert brotli.decompress(brotli_whole(start, b"")) == document


def test_a_record_that_json_cannot_hold_is_not_rendered() -> None:
    with pytest.raises(Corrupt):
        render_json(Strain(slug="a", name="a", origin="o", effects={"x": float("nan")}))
