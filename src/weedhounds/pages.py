"""From an answer's bytes to the bytes of entries: the CPU work of a load, without I/O.

These functions run wherever a pool runs them (in the loop for small answers, in a job process for
large ones), so what goes in and out is bytes or plain structs. An answer that is a load's only
one becomes finished entry bodies at once: the reading process need not decode the records to
store them. Pages of a longer load stay parsed bytes until all are there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from weedhounds.cache.entry import record_digest
from weedhounds.codec import encode_body
from weedhounds.errors import SchemaMismatch, SourceError, WeedHoundsError
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Body, LabResultList, StrainList
from weedhounds.sources.assemble import assemble
from weedhounds.sources.base import Call, Kind, Load, Parsed, Source


class Filled(msgspec.Struct, frozen=True, gc=False):
    """One record, encoded: what an entry needs besides times and terms. ``is_empty``: a list of nothing."""

    key: RecordKey
    body: bytes
    digest: bytes
    is_empty: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one answer of a load came to.

    Args:
        follow: the calls that it shows to be needed besides.
        filled: the load's records, where this answer is the whole load; else empty.
        parsed: else the parsed answer (MessagePack of :class:`Parsed`), for :func:`join_pages`.
        items: items in the answer, and how many of them were skipped.
    """

    follow: tuple[Call, ...] = ()
    filled: tuple[Filled, ...] = ()
    parsed: bytes = b""
    items: int = 0
    skipped: int = 0


_parsed_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_parsed_decoder = msgspec.msgpack.Decoder(Parsed)


def encode_parsed(parsed: Parsed) -> bytes:
    """Return ``parsed`` as MessagePack; exact prices stay exact."""
    return _parsed_encoder.encode(parsed)


def decode_parsed(data: bytes) -> Parsed:
    """Return what :func:`encode_parsed` wrote (only ever read from our own job processes)."""
    return _parsed_decoder.decode(data)


def parse_answer(source: Source | type[Source], body: bytes, kind: Kind | None, currency: str) -> Parsed:
    """Parse one answer; whatever it holds, only typed errors come out.

    Raises:
        OriginRejected: HTML instead of JSON, or an error envelope.
        SchemaMismatch: no known envelope; not one usable item among those that are there; or bytes
            that the parser had not thought of.
    """
    try:
        parsed = source.parse(body, kind, currency=currency)
        is_empty = not parsed.records()
    except WeedHoundsError:
        raise
    except Exception as error:  # hostile bytes may find what no parser foresaw; the hunt goes on
        raise SchemaMismatch(f"the answer cannot be read: {type(error).__name__}") from error
    if is_empty and parsed.seen > 0 and len(parsed.skipped) >= parsed.seen:
        raise SchemaMismatch(f"none of {parsed.seen} items can be read: {parsed.skipped[0].why:.120}")
    return parsed


def read_page(source: Source, load: Load, call: Call, body: bytes) -> Page:
    """Read one answer of a load.

    Raises:
        OriginRejected, SchemaMismatch: as :func:`parse_answer`.
    """
    parsed = parse_answer(source, body, call.kind, source.config.currency)
    try:
        follow = tuple(source.follow(call, parsed))
        is_whole = not follow and load.calls == (call,)
        return Page(
            follow=follow,
            filled=_filled(load, [parsed]) if is_whole else (),
            parsed=b"" if is_whole else encode_parsed(parsed),
            items=parsed.seen,
            skipped=len(parsed.skipped),
        )
    except SourceError:
        raise
    except Exception as error:
        raise SchemaMismatch(f"the answer cannot be stored: {type(error).__name__}") from error


def join_pages(load: Load, pages: Sequence[bytes]) -> tuple[Filled, ...]:
    """Return the records of a load of several answers, given in page order as :attr:`Page.parsed`."""
    return _filled(load, [decode_parsed(page) for page in pages])


def _filled(load: Load, pages: Sequence[Parsed]) -> tuple[Filled, ...]:
    bodies = assemble(load, pages)
    return tuple(
        Filled(key, encode_body(record), record_digest(record), _is_empty(record)) for key, record in bodies.items()
    )


def _is_empty(record: Body) -> bool:
    if isinstance(record, StrainList):
        return not record.strains
    return isinstance(record, LabResultList) and not record.results
