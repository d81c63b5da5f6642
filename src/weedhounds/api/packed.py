"""Answers with brotli, for those who accept it: compressed once for each version of a record."""

from __future__ import annotations

from collections import OrderedDict

from weedhounds.cache.rendered import Rendered
from weedhounds.codec.render import brotli_start, brotli_whole

MAX_PACKED_BYTES = 16 * 1024 * 1024
"""Of the compressed answers held, the latest used: of some 2,000 menus of 100 products."""

_ENTRY_BYTES = 300
"""What one takes beside its bytes: its names and its place."""

Version = tuple[str, str, float]
"""Key, digest and expiry: what the part of an answer that stays is made of."""


class Packed:
    """The compressed constant parts of answers.

    Bounds: ``MAX_PACKED_BYTES``; the least recently used make room.
    """

    def __init__(self, max_bytes: int = MAX_PACKED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._starts: OrderedDict[Version, bytes] = OrderedDict()
        self.held_bytes = 0

    def body(self, key: str, hit: Rendered) -> bytes | None:
        """Return a record's answer as a brotli stream; ``None`` where it is not worth it.

        Args:
            key: the record's.
        """
        version = (key, hit.digest, hit.expires_at)
        start = self._starts.get(version)
        if start is None:
            start = brotli_start(hit.constant) or b""
            self._keep(version, start)
        else:
            self._starts.move_to_end(version)
        return brotli_whole(start, hit.moving) if start else None

    def _keep(self, version: Version, start: bytes) -> None:
        self._starts[version] = start
        self.held_bytes += len(start) + _ENTRY_BYTES
        while self.held_bytes > self._max_bytes and self._starts:
            _, dropped = self._starts.popitem(last=False)
            self.held_bytes -= len(dropped) + _ENTRY_BYTES


def accepts_brotli(field: bytes) -> bool:
    """Tell whether an ``Accept-Encoding`` field takes brotli (RFC 9110 section 12.5.3); ``*`` is not taken for it.

    Example:
        >>> accepts_brotli(b"gzip, deflate, br"), accepts_brotli(b"gzip;q=1, br;q=0"), accepts_brotli(b"*")
        (True, False, False)
    """
    if b"br" not in field:
        return False
    for member in field.split(b","):
        name, _, weight = member.partition(b";")
        if name.strip().lower() == b"br":
            return not weight or weight.strip().lower().removeprefix(b"q=").strip(b"0.") != b""
    return False
