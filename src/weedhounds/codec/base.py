"""What all formats and compressions share: their names and numbers, what can be encoded, the limits.

A *format* turns a record into a payload and back; it is a module with two functions::

    def encode_payload(record: Encodable) -> bytes
    def decode_payload(data: bytes) -> Encodable

``decode_payload`` gets hostile bytes: it raises ``Corrupt`` (or ``UnknownVersion``) and nothing
else, and allocates no more than a small multiple of what it was given. :func:`payload_codec` finds
the module of a format and imports it on first use, so that nobody pays for ``pyarrow`` who does
not ask for it.

A *compression* turns a payload into stored bytes and back (``compress.py``; the trained
dictionaries in ``dictionary.py``). The numbers stand in envelopes and are never given twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from weedhounds.errors import UnknownVersion
from weedhounds.model.records import AnyRecord, Body

Encodable = Body | AnyRecord
"""What can be encoded: the bodies of entries, and single records."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Longest payload, once decompressed, that is written or read."""

MAX_RATIO = 1_000
"""Greatest ratio of payload to stored bytes that is written or read, beyond the first ``FREE_BYTES``."""

FREE_BYTES = 1024 * 1024
"""Payloads up to this length may be compressed by any ratio: they cost too little to be bombs."""


MAX_ITEMS = 100_000
"""Most records of one list in ``whb``: columns can tell any number of records in a few bytes."""


class Format(StrEnum):
    """How a record becomes a payload."""

    JSON = "json"
    ORJSON = "orjson"
    MSGPACK = "msgpack"
    PROTOBUF = "protobuf"
    ARROW = "arrow"
    WHB_ROW = "whb-row"
    WHB_COLUMN = "whb-column"


class Compression(StrEnum):
    """How a payload becomes the stored bytes."""

    NONE = "none"
    ZLIB = "zlib"
    GZIP = "gzip"
    LZ4 = "lz4"
    BROTLI = "brotli"
    ZSTD = "zstd"
    ZSTD_DICT = "zstd-dict"


FORMAT_NUMBERS: Mapping[Format, int] = {
    Format.MSGPACK: 1,
    Format.JSON: 2,
    Format.ORJSON: 3,
    Format.PROTOBUF: 4,
    Format.ARROW: 5,
    Format.WHB_ROW: 6,
    Format.WHB_COLUMN: 7,
}
"""Formats as envelopes name them; 1 was there from the first version on."""

SECOND_ROWS = 8
"""How envelopes name ``whb`` rows of the second layout (``whb_records.py``); read by the same module."""

COMPRESSION_NUMBERS: Mapping[Compression, int] = {
    Compression.NONE: 0,
    Compression.ZSTD: 1,
    Compression.ZSTD_DICT: 2,
    Compression.ZLIB: 3,
    Compression.GZIP: 4,
    Compression.LZ4: 5,
    Compression.BROTLI: 6,
}
"""Compressions as envelopes name them; 0 and 1 were there from the first version on. 7 is a patch (``patch.py``)."""

_MODULES: Mapping[Format, str] = {
    Format.JSON: "weedhounds.codec.json_format",
    Format.ORJSON: "weedhounds.codec.orjson_format",
    Format.MSGPACK: "weedhounds.codec.msgpack_format",
    Format.PROTOBUF: "weedhounds.codec.protobuf_format",
    Format.ARROW: "weedhounds.codec.arrow_format",
    Format.WHB_ROW: "weedhounds.codec.whb_row",
    Format.WHB_COLUMN: "weedhounds.codec.whb_column",
}


class PayloadCodec(Protocol):
    """The two functions of a format's module."""

    def encode_payload(self, record: Encodable) -> bytes:
        """Return the payload of ``record``.

        Raises:
            Corrupt: the format cannot hold the record exactly (never another value instead).
        """
        ...

    def decode_payload(self, data: bytes) -> Encodable:
        """Return the record in a payload, of the exact types.

        Raises:
            Corrupt: no payload of this format.
            UnknownVersion: of a later version that cannot be read.
        """
        ...


@cache
def payload_codec(format: Format) -> PayloadCodec:
    """Return the module of ``format``; imported on first use.

    Raises:
        UnknownVersion: it needs a package that is not installed here.
    """
    try:
        return cast(PayloadCodec, import_module(_MODULES[format]))
    except ImportError as error:
        raise UnknownVersion(f"format {format} is unavailable here: {error}") from error
