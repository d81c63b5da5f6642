"""What travels: a record's encoded body with everything needed to judge it."""

from __future__ import annotations

import blake3
import msgspec

from weedhounds.codec import decode_body, encode_body
from weedhounds.errors import CodecError
from weedhounds.model.keys import DIGEST_BYTES, RecordKey
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import Body


class Entry:
    """One cached record.

    Immutable by convention; ``record`` decodes on first use and is kept. ``prepared`` is a form of the
    record that a reader made for itself; it is kept and leaves with the entry.

    Args:
        key: its name.
        body: codec bytes (``weedhounds.codec``).
        fetched_at: Unix seconds, UTC, at which the origin gave it.
        expires_at: Unix seconds from which it is expired.
        digest: 20 bytes of BLAKE3 over the record's canonical encoding: equal for equal records.
        origins: the origins it was made from.
        share: who may be given it: the strictest of those origins' terms.
        etag, last_modified: the origin's validators, where it gave them.
        pinned_at: Unix seconds of its import: then it leaves only by purge or by the storage limit,
            which counts from there; ``None`` for what was not imported.
        signed_by: the publisher's or peer's id, for entries that came signed.
    """

    __slots__ = (
        "_record",
        "body",
        "digest",
        "etag",
        "expires_at",
        "fetched_at",
        "key",
        "last_modified",
        "origins",
        "pinned_at",
        "prepared",
        "share",
        "signed_by",
    )

    def __init__(
        self,
        key: RecordKey,
        body: bytes,
        *,
        fetched_at: float,
        expires_at: float,
        digest: bytes,
        origins: tuple[str, ...],
        share: ShareScope = ShareScope.NEVER,
        etag: str | None = None,
        last_modified: str | None = None,
        pinned_at: float | None = None,
        signed_by: str | None = None,
        record: Body | None = None,
    ) -> None:
        self.key = key
        self.body = body
        self.fetched_at = fetched_at
        self.expires_at = expires_at
        self.digest = digest
        self.origins = origins
        self.share = share
        self.etag = etag
        self.last_modified = last_modified
        self.pinned_at = pinned_at
        self.signed_by = signed_by
        self._record = record
        self.prepared: object = None

    @classmethod
    def of(
        cls,
        key: RecordKey,
        record: Body,
        *,
        fetched_at: float,
        expires_at: float,
        share: ShareScope = ShareScope.NEVER,
        etag: str | None = None,
        last_modified: str | None = None,
        pinned_at: float | None = None,
    ) -> Entry:
        """Encode ``record`` and return its entry."""
        return cls(
            key,
            encode_body(record),
            fetched_at=fetched_at,
            expires_at=expires_at,
            digest=record_digest(record),
            origins=(key.origin,),
            share=share,
            etag=etag,
            last_modified=last_modified,
            pinned_at=pinned_at,
            record=record,
        )

    @property
    def record(self) -> Body:
        """Return the decoded record (decoded on first use).

        The checksum of the body is verified here, not when a tier reads it: a reader answers
        ``CodecError`` as it would a miss, and discards the key named in the error.

        Raises:
            Corrupt: the body is damaged.
            UnknownVersion: another version wrote it.
        """
        if self._record is None:
            try:
                self._record = decode_body(self.body)
            except CodecError as error:
                raise type(error)(error.message, key=str(self.key), origin=self.key.origin) from error
        return self._record

    @property
    def pinned(self) -> bool:
        """Tell whether it was imported."""
        return self.pinned_at is not None

    @property
    def held_from(self) -> float:
        """Return the moment from which a storage limit counts: the import, else the fetch (Unix seconds)."""
        return self.fetched_at if self.pinned_at is None else self.pinned_at

    @property
    def is_decoded(self) -> bool:
        """Tell whether the typed record is held beside the bytes."""
        return self._record is not None

    def is_fresh(self, now: float) -> bool:
        """Tell whether the entry may be served without asking again at ``now`` (Unix seconds)."""
        return now < self.expires_at

    def age_s(self, now: float) -> float:
        """Return the seconds since the origin gave it; never negative."""
        return max(0.0, now - self.fetched_at)

    def __repr__(self) -> str:
        return f"Entry({self.key}, {len(self.body)} bytes, fetched_at={self.fetched_at:.0f})"


_canonical = msgspec.msgpack.Encoder(order="deterministic", decimal_format="string")


def record_digest(record: Body) -> bytes:
    """Return the 20-byte digest of a record's canonical encoding."""
    return blake3.blake3(_canonical.encode(record)).digest(DIGEST_BYTES)
