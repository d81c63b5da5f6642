"""A record's answer as bytes in two parts: what stays the same, and what moves with time. Pure.

Both parts together are exactly the JSON of :class:`weedhounds.query.answer.RecordAnswer`; a test
compares them.
"""

from __future__ import annotations

import msgspec

from weedhounds.cache.entry import Entry
from weedhounds.cache.rendered import Rendered
from weedhounds.model.provenance import Provenance
from weedhounds.model.records import Body
from weedhounds.query.answer import RecordAnswer

_encoder = msgspec.json.Encoder(decimal_format="string")


class Constant(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The fields of a record's answer that are the same for each answer of an entry."""

    key: str
    record: Body
    digest: str
    expires_at: float


class Moving(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The fields of a record's answer that move with time and with the tier that answers."""

    is_stale: bool
    provenance: Provenance


def record_answer(entry: Entry, provenance: Provenance, *, is_stale: bool) -> RecordAnswer:
    """Return an entry's answer.

    Raises:
        CodecError: the entry's bytes are damaged.
    """
    return RecordAnswer(
        key=str(entry.key),
        record=entry.record,
        digest=entry.digest.hex(),
        expires_at=expiry_of(entry),
        is_stale=is_stale,
        provenance=provenance,
    )


def rendered(entry: Entry) -> Rendered:
    """Return the entry's answer without its moving part; a record that is not held is not kept either.

    Raises:
        CodecError: the entry's bytes are damaged.
    """
    digest, expires_at = entry.digest.hex(), expiry_of(entry)
    constant = Constant(key=str(entry.key), record=entry.decode(), digest=digest, expires_at=expires_at)
    return Rendered(_encoder.encode(constant)[:-1], digest=digest, expires_at=expires_at)


def moving(provenance: Provenance, *, is_stale: bool) -> bytes:
    """Return the part that follows the constant one."""
    return b"," + _encoder.encode(Moving(is_stale=is_stale, provenance=provenance))[1:]


def expiry_of(entry: Entry) -> float:
    """Return the moment of expiry as answers tell it: Unix seconds, to the millisecond."""
    return round(entry.expires_at, 3)
