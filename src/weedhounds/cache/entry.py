"""What travels: a record's encoded body with everything needed to judge it."""

from __future__ import annotations

from collections import deque

import blake3
import msgspec

from weedhounds.cache.rendered import Rendered
from weedhounds.codec import decode_body, encode_body
from weedhounds.errors import CodecError
from weedhounds.model.keys import DIGEST_BYTES, RecordKey
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import Body


class Entry:
    """One cached record.

    Immutable by convention; ``record`` decodes on first use and is kept. ``prepared`` is a form of the
    record that a reader made for itself. Record, prepared form and rendered answer can be made from the
    body again: the tier that holds the entry lets go of them when it needs the room, at any moment
    between two steps of the loop. A reader in a thread takes each of them once.

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
        "_grown",
        "_prepared",
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
        "rendered",
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
        self._prepared: object = None
        self.rendered: Rendered | None = None
        self._grown: deque[Entry] | None = None

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
        record = self._record  # read once: the loop may let go of it while a thread is here
        if record is None:
            record = self.decode()
            self._record = record
            self._tell()
        return record

    def decode(self) -> Body:
        """Return the record, decoded anew where it is not held; it is not kept. Raises as :attr:`record`."""
        record = self._record
        if record is not None:
            return record
        try:
            return decode_body(self.body)
        except CodecError as error:
            raise type(error)(error.message, key=str(self.key), origin=self.key.origin) from error

    @property
    def prepared(self) -> object:
        """Return the form that a reader keeps here; ``None`` where there is none."""
        return self._prepared

    @prepared.setter
    def prepared(self, form: object) -> None:
        self._prepared = form
        self._tell()

    def keep_rendered(self, answer: Rendered) -> None:
        """Hold the answer as ``rendered``."""
        self.rendered = answer
        self._tell()

    def drop_rendered(self) -> None:
        """Let go of the rendered answer; it is made again from the record when it is asked for."""
        self.rendered = None

    def drop_record(self) -> None:
        """Let go of the typed record and of what was prepared from it; they are made again on their next use."""
        self._record = None
        self._prepared = None

    def tell_growth(self, grown: deque[Entry] | None) -> None:
        """Have this entry appended to ``grown`` whenever it holds a representation more (in any thread)."""
        self._grown = grown

    def _tell(self) -> None:
        grown = self._grown
        if grown is not None:
            grown.append(self)

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

    @property
    def lifetime_s(self) -> float:
        """Return how long it counts as fresh, seconds."""
        return max(0.0, self.expires_at - self.fetched_at)

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
