"""Look through an Arrow IPC stream before Arrow does: only plain record batches go in.

Arrow allocates what a compressed buffer claims to become, so a stream of compressed buffers is a
bomb that no option of its reader bounds. The messages' headers are small flatbuffers; the two
facts needed (the kind of message, whether a batch is compressed) are read from them here.

Source: Arrow columnar format, "Encapsulated message format"; ``Message.fbs``.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from weedhounds.errors import Corrupt

_CONTINUATION = 0xFFFFFFFF
_SCHEMA, _RECORD_BATCH = 1, 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
"""Fields of the table ``Message``, by position."""
_COMPRESSION = 3
"""Field of the table ``RecordBatch``."""
MAX_MESSAGES = 100_000


def check_plain(data: bytes) -> None:
    """Refuse a stream that is more than one schema and uncompressed batches.

    Raises:
        Corrupt: it is, or it is no such stream.
    """
    position, count = 0, 0
    try:
        while True:
            continuation, size = struct.unpack_from("<II", data, position)
            if continuation != _CONTINUATION or count > MAX_MESSAGES:
                raise Corrupt("not an Arrow stream")
            if size == 0:
                break
            message = _Table.at_root(data, position + 8)
            _check_message(message, is_first=count == 0)
            position += 8 + size + _body_length(message, len(data))
            count += 1
    except (struct.error, IndexError) as error:
        raise Corrupt(f"not an Arrow stream: {error}") from error
    if position + 8 != len(data):
        raise Corrupt("bytes after the Arrow stream")


def _check_message(message: _Table, *, is_first: bool) -> None:
    kind = message.uint8(_HEADER_TYPE)
    if kind != (_SCHEMA if is_first else _RECORD_BATCH):
        raise Corrupt(f"an Arrow message of kind {kind} is not expected here")
    if kind == _RECORD_BATCH and message.table(_HEADER).has(_COMPRESSION):
        raise Corrupt("compressed Arrow buffers are not read: compress the payload instead")


def _body_length(message: _Table, most: int) -> int:
    length = message.int64(_BODY_LENGTH)
    if not 0 <= length <= most:
        raise Corrupt("an Arrow message longer than its stream")
    return length


class _Table(NamedTuple):
    """A flatbuffers table: the bytes, and where it stands in them. Positions are never negative."""

    data: bytes
    position: int

    @classmethod
    def at_root(cls, data: bytes, start: int) -> _Table:
        return cls(data, start + _uint32(data, start))

    def has(self, field: int) -> bool:
        return self._offset(field) != 0

    def uint8(self, field: int) -> int:
        offset = self._offset(field)
        return self.data[self.position + offset] if offset else 0

    def int64(self, field: int) -> int:
        offset = self._offset(field)
        value: int = struct.unpack_from("<q", self.data, self.position + offset)[0] if offset else 0
        return value

    def table(self, field: int) -> _Table:
        offset = self._offset(field)
        if not offset:
            raise Corrupt("an Arrow message without a header")
        return _Table.at_root(self.data, self.position + offset)

    def _offset(self, field: int) -> int:
        """Return where a field stands, from the table on; 0 where it is absent."""
        back: int = struct.unpack_from("<i", self.data, self.position)[0]
        fields = self.position - back
        if fields < 0:
            raise Corrupt("not an Arrow stream")
        size: int = struct.unpack_from("<H", self.data, fields)[0]
        if 4 + 2 * field + 2 > size:
            return 0
        offset: int = struct.unpack_from("<H", self.data, fields + 4 + 2 * field)[0]
        return offset


def _uint32(data: bytes, position: int) -> int:
    value: int = struct.unpack_from("<I", data, position)[0]
    return value
