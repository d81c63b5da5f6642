"""Record keys: ``{data_type}:{origin}:{native id, percent-encoded}[:{variant}]``.

A key always names one origin's record and has no clock in it. Text form is lower case but
for the native id. Two native ids are reserved: ``near`` (a search around an H3 cell, the
cell in the variant) and ``q`` (any other search, the hash of its canonical query in the
variant). A merged identity (``shop:…``, ``product:…``, ``strain:…``) is no record key: it
resolves to record keys through the identity index.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import blake3
import msgspec

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType

DIGEST_BYTES = 20
MAX_KEY_BYTES = 1024
NEAR_RESOLUTION = 5
"""H3 resolution of search cells: about 8.5 km from centre to corner."""

_ORIGIN = re.compile(r"[a-z][a-z0-9_]{0,31}")
_VARIANT = re.compile(r"[a-z0-9_.~-]{1,64}")
_DATA_TYPES: dict[str, DataType] = {t.value: t for t in DataType}


class RecordKey(msgspec.Struct, frozen=True, gc=False, order=True):
    """The name of one origin's record.

    Args:
        data_type: what kind of fact.
        origin: the origin's id, for example ``weedmaps``.
        native_id: the id that the origin itself uses, as given (not encoded).
        variant: a further part, lower case, or ``None``.
    """

    data_type: DataType
    origin: str
    native_id: str
    variant: str | None = None

    def __str__(self) -> str:
        text = f"{self.data_type.value}:{self.origin}:{quote(self.native_id, safe='')}"
        return text if self.variant is None else f"{text}:{self.variant}"

    @property
    def digest(self) -> bytes:
        """Return the 20-byte BLAKE3 digest of the text form (also the key on the DHT)."""
        return blake3.blake3(str(self).encode()).digest(DIGEST_BYTES)

    @property
    def is_search(self) -> bool:
        """Tell whether the key names a search and not a record."""
        return self.native_id in ("near", "q") and self.variant is not None

    @classmethod
    def parse(cls, text: str) -> RecordKey:
        """Return the key that ``text`` spells.

        Raises:
            BadInput: the text is no record key.
        """
        if len(text.encode(errors="surrogatepass")) > MAX_KEY_BYTES:
            raise BadInput(f"a record key has at most {MAX_KEY_BYTES} bytes")
        parts = text.split(":")
        if len(parts) not in (3, 4):
            raise BadInput(f"not a record key: {text!r} (expected data_type:origin:id[:variant])", key=text)
        data_type = _DATA_TYPES.get(parts[0])
        if data_type is None:
            raise BadInput(f"unknown data type {parts[0]!r} in key {text!r}", key=text)
        if not _ORIGIN.fullmatch(parts[1]):
            raise BadInput(f"malformed origin {parts[1]!r} in key {text!r}", key=text)
        native_id = unquote(parts[2]) if parts[2].isascii() else ""
        if not native_id or quote(native_id, safe="") != parts[2]:
            raise BadInput(f"malformed native id in key {text!r}", key=text)
        variant = parts[3] if len(parts) == 4 else None
        if variant is not None and not _VARIANT.fullmatch(variant):
            raise BadInput(f"malformed variant in key {text!r}", key=text)
        return cls(data_type, parts[1], native_id, variant)


def near_key(origin: str, cell: str) -> RecordKey:
    """Return the key of the search for shops of ``origin`` in the H3 cell ``cell``."""
    return RecordKey(DataType.DISPENSARY_INFO, origin, "near", cell)


def query_key(data_type: DataType, origin: str, **query: str) -> RecordKey:
    """Return the key of a search given by named terms; the order of the terms does not matter."""
    canonical = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items()))
    digest = blake3.blake3(canonical.encode()).hexdigest(DIGEST_BYTES)
    return RecordKey(data_type, origin, "q", digest)
