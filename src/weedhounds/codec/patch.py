"""Patches: a new version of a record as what it adds to the version that the reader holds.

zstd with the old payload as prefix ("patch-from"): what has not changed is found in the prefix and
costs next to nothing. Both payloads are rows, those of menus and price lists record by record: what
changes together stands together, which saves a third against columns. The envelope names the payload that it needs by its digest, so that a patch
is never applied to another one; whoever has not got it asks for the whole record.
"""

from __future__ import annotations

import blake3
import zstandard

from weedhounds.codec.base import MAX_BODY_BYTES, SECOND_ROWS, Encodable, Format
from weedhounds.codec.compress import output_limit
from weedhounds.codec.dictionary import frame_blocks
from weedhounds.codec.encoding import decode
from weedhounds.codec.envelope import BASE_DIGEST_BYTES, open_envelope, seal
from weedhounds.codec.whb_records import PACKS_2
from weedhounds.codec.whb_row import decode_payload, encode_by_row
from weedhounds.errors import BadInput, Corrupt, UnknownVersion

DEFAULT_LEVEL = 19
"""Level 9 makes patches 5 % larger, level 3 a third; all take well under a millisecond for a menu."""

_LEAST_WINDOW_LOG, _MOST_WINDOW_LOG = 10, 27


def encode_patch(record: Encodable, base: Encodable | bytes, *, level: int = DEFAULT_LEVEL) -> bytes:
    """Return the envelope of ``record`` as a patch of ``base``.

    Args:
        base: the version that the reader holds: a record, or an entry's body in any format.

    Raises:
        Corrupt: rows cannot hold one of them exactly, one is over the limit of an envelope, or the
            body is damaged.
        UnknownVersion: the body is of a version, format, compression or dictionary not known here.
        BadInput: zstd has no such level.
    """
    old, new = _rows_of(base), encode_by_row(record)
    if max(len(old), len(new)) > MAX_BODY_BYTES:
        raise Corrupt(f"body of {max(len(old), len(new))} bytes is over the limit of {MAX_BODY_BYTES}")
    if not 1 <= level <= zstandard.MAX_COMPRESSION_LEVEL:
        raise BadInput(f"zstd has levels 1 to {zstandard.MAX_COMPRESSION_LEVEL}, not {level}")
    window_log = min(_MOST_WINDOW_LOG, max(_LEAST_WINDOW_LOG, (len(old) + len(new)).bit_length()))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        window_log=window_log,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=1,
        write_dict_id=0,
        write_checksum=0,
    )
    frame = zstandard.ZstdCompressor(dict_data=_prefix(old), compression_params=parameters).compress(new)
    number = SECOND_ROWS if record.__class__ in PACKS_2 else Format.WHB_ROW
    return seal(frame_blocks(frame), number, None, length=len(new), named=payload_digest(old))


def is_patch(data: bytes) -> bool:
    """Tell whether an envelope holds a patch.

    Raises:
        Corrupt, UnknownVersion: as :func:`weedhounds.codec.envelope.open_envelope`.
    """
    return open_envelope(data).compression is None


def decode_patch(data: bytes, base: Encodable | bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Encodable:
    """Return the record that a patch makes of ``base``.

    Raises:
        Corrupt: damaged bytes, no patch, or a length over the limits.
        UnknownVersion: the patch needs another base; or its version or format is not known here.

    Bounds: the payload is at most ``max_bytes``, and a thousand times base and patch together.
    """
    envelope = open_envelope(data, max_bytes)
    if envelope.compression is not None:
        raise Corrupt("not a patch")
    if envelope.format is not Format.WHB_ROW:
        raise UnknownVersion(f"a patch of format {envelope.format} is not known here")
    old = _rows_of(base)
    if payload_digest(old) != envelope.named:
        raise UnknownVersion(f"the patch needs the payload {envelope.named.hex()}, not {payload_digest(old).hex()}")
    if envelope.length > min(max_bytes, output_limit(len(old) + len(envelope.stored))):
        raise Corrupt(f"declared length {envelope.length} is over the limit")
    decompressor = zstandard.ZstdDecompressor(dict_data=_prefix(old), format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    try:
        new = decompressor.decompress(envelope.stored, envelope.length, False, False)
    except (zstandard.ZstdError, MemoryError) as error:
        raise Corrupt(f"cannot apply the patch: {error}") from error
    return decode_payload(new)


def _rows_of(base: Encodable | bytes) -> bytes:
    return encode_by_row(decode(base) if isinstance(base, bytes) else base)


def payload_digest(payload: bytes) -> bytes:
    """Return the digest by which a patch names its base's payload."""
    return blake3.blake3(payload).digest(BASE_DIGEST_BYTES)


def _prefix(payload: bytes) -> zstandard.ZstdCompressionDict:
    """Return a payload as a dictionary of raw content; an empty one cannot be one."""
    return zstandard.ZstdCompressionDict(payload or b"\0" * 8, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
