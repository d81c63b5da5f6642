"""The rendered representation of an entry: its answer as bytes, ready to be sent. Pure.

An answer is a constant part, which holds the record, followed by a short part that moves with
time (age, stale probability). The constant part is made once for each version of an entry; the
whole answer is put together again when the moving part is older than ``REUSE_S``.
"""

from __future__ import annotations

from math import inf

from weedhounds.model.provenance import Provenance

Fields = tuple[tuple[bytes, bytes], ...]

REUSE_S = 0.1
"""How long a whole answer may be sent again, seconds: the most by which an age told in it is too low."""
RENDERED_BYTES = 1500
"""What a rendered answer takes beside its body: the object, header fields, their tuples (tracemalloc,
CPython 3.11: 1,500 bytes each)."""


class Rendered:
    """One entry's answer as bytes.

    Args:
        constant: the part that does not move with time.
        digest: the record's digest, hex.
        expires_at: Unix seconds from which the entry is expired.

    ``body`` is the whole answer as of ``at`` (Unix seconds; never, at first), ``provenance`` what it says
    of itself;
    ``fields`` are header fields that were made for that body, for whoever sends it to keep there: a
    new body clears them.

    Bounds: one body and its fields.
    """

    __slots__ = ("_constant_bytes", "at", "body", "digest", "expires_at", "fields", "provenance")

    provenance: Provenance

    def __init__(self, constant: bytes, *, digest: str, expires_at: float) -> None:
        self._constant_bytes = len(constant)
        self.body = constant
        self.digest = digest
        self.expires_at = expires_at
        self.at = -inf
        self.fields: Fields = ()

    @property
    def constant(self) -> bytes:
        """Return the part that does not move with time."""
        return self.body[: self._constant_bytes]

    @property
    def moving(self) -> bytes:
        """Return the part that holds at ``at``."""
        return self.body[self._constant_bytes :]

    def renew(self, moving: bytes, provenance: Provenance, now: float) -> None:
        """Put the whole answer together with the part that holds at ``now``."""
        self.body = self.constant + moving
        self.provenance = provenance
        self.at = now
        self.fields = ()

    @property
    def weight(self) -> int:
        """Return the bytes that it takes in memory, estimated."""
        return RENDERED_BYTES + len(self.body)
