"""Trained dictionaries: what records of one kind have in common, and zstd with it.

A dictionary is versioned data: bytes written with it can be read only with it, so its id is the
digest of its content, and none is ever changed. It knows the origins whose records it was trained
on, for it holds pieces of them: it may be given only to whom all of them may be given.

Stored bytes are the blocks of a zstd frame; its header is the envelope's own: the byte ``A0`` and
the length that follows it (``envelope.py``). With the magic ``28 B5 2F FD`` before them, any zstd
reads it. So a frame cannot claim another length than its envelope.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import blake3
import msgspec
import zstandard

from weedhounds.codec.base import Encodable, Format, payload_codec
from weedhounds.codec.envelope import DICTIONARY_ID_BYTES
from weedhounds.codec.kinds import BY_FIELD, items_of, kind_of
from weedhounds.codec.whb_row import encode_item
from weedhounds.errors import BadInput, Corrupt
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import AnyRecord

DEFAULT_BYTES = 112 * 1024
"""Size of a dictionary: records are 15 % larger with 32 KB, and hardly smaller with 512 KB."""

DEFAULT_LEVEL = 3
MAX_BYTES = 1024 * 1024
MIN_RECORDS = 16
MAX_SAMPLE_BYTES = 32 * 1024 * 1024
"""Samples beyond are left out: training holds all of them and an index six times as large."""

_SEGMENT, _WORD = 1000, 8
"""``k`` and ``d`` of the trainer: 2.5 % smaller records than with those that it picks itself."""

_SCOPES = (ShareScope.NEVER, ShareScope.CIRCLE, ShareScope.PUBLIC)


class Dictionary:
    """One trained dictionary.

    Args:
        data: the zstd dictionary.
        kind: of which records (``kinds.py``).
        format: of which payloads.
        origins: whose records it was trained on.
        share: who may be given it: the strictest of those origins' terms.

    Bounds: for each level used about 1 MB, for each thread that uses it about 0.3 MB.
    """

    def __init__(
        self, data: bytes, *, kind: str, format: Format, origins: tuple[str, ...], share: ShareScope = ShareScope.NEVER
    ) -> None:
        self.data = data
        self.kind = kind
        self.format = format
        self.origins = origins
        self.share = share
        self.id = dictionary_id(data)
        self._digested = zstandard.ZstdCompressionDict(data)
        self._by_level: dict[int, zstandard.ZstdCompressionDict] = {}
        self.own = _PerThread(self._digested)
        """The calling thread's contexts; ``encoding.decode`` calls them without a wrapper."""

    def compress(self, payload: bytes, level: int | None = None) -> bytes:
        """Return the blocks of the zstd frame of ``payload``.

        Raises:
            BadInput: zstd has no such level.
        """
        return frame_blocks(self.frame(payload, level))

    def frame(self, payload: bytes, level: int | None = None) -> bytes:
        """Return the zstd frame of ``payload`` without its magic.

        Raises:
            BadInput: zstd has no such level.
        """
        chosen = DEFAULT_LEVEL if level is None else level
        compress = self.own.compress.get(chosen)
        return compress(payload) if compress is not None else self._compressor(chosen)(payload)

    def compress_blocks(self, payload: bytes, cuts: Sequence[int], level: int | None = None) -> bytes:
        """Return :meth:`compress`, with blocks that begin at ``cuts`` (:func:`compress_in_blocks`)."""
        chosen = DEFAULT_LEVEL if level is None else level
        if chosen not in self.own.compress:
            self._compressor(chosen)
        return frame_blocks(compress_in_blocks(self.own.compressors[chosen], payload, cuts))

    def decompress(self, frame: bytes, length: int) -> bytes:
        """Return the payload of a frame.

        Args:
            frame: header and blocks: what an envelope holds between dictionary id and checksum.
            length: what the header says; bounded by the caller, for it is allocated.

        Raises:
            Corrupt: not a frame made with this dictionary.
        """
        try:
            return self.own.decompress(frame, length, False, False)
        except (zstandard.ZstdError, MemoryError) as error:
            raise Corrupt(f"cannot decompress with dictionary {self.id.hex()}: {error}") from error

    def _compressor(self, level: int) -> Callable[[bytes], bytes]:
        """Make this thread's compressor of a level.

        One dictionary object a level: preparing one object for a second level breaks the
        compressors of the first.
        """
        if not 1 <= level <= zstandard.MAX_COMPRESSION_LEVEL:
            raise BadInput(f"zstd has levels 1 to {zstandard.MAX_COMPRESSION_LEVEL}, not {level}")
        prepared = self._by_level.get(level)
        if prepared is None:
            prepared = zstandard.ZstdCompressionDict(self.data)
            prepared.precompute_compress(level=level)
            prepared = self._by_level.setdefault(level, prepared)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=1, write_dict_id=0, write_checksum=0
        )
        compressor = zstandard.ZstdCompressor(dict_data=prepared, compression_params=parameters)
        self.own.compressors[level] = compressor
        self.own.compress[level] = compressor.compress
        return compressor.compress


_HEADER_BYTES = (2, 2, 4, 3, 6, 5, 10, 9)
"""Bytes of a magicless frame's header by the upper three bits of its descriptor (no dictionary id)."""


def frame_blocks(frame: bytes) -> bytes:
    """Return the blocks of a frame without magic, checksum and dictionary id."""
    return frame[_HEADER_BYTES[frame[0] >> 5] :]


class _PerThread(threading.local):
    """A thread's own contexts: those of zstandard may not be used by two threads at once."""

    def __init__(self, digested: zstandard.ZstdCompressionDict) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}
        self.compress: dict[int, Callable[[bytes], bytes]] = {}
        decompressor = zstandard.ZstdDecompressor(dict_data=digested, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
        self.decompress = decompressor.decompress


LEAST_BLOCK_BYTES = 256
"""Shorter parts stay in the block before: a block's code table takes some 60 bytes."""


def compress_in_blocks(compressor: zstandard.ZstdCompressor, payload: bytes, cuts: Sequence[int]) -> bytes:
    """Return one frame whose blocks begin anew at ``cuts``: each then has a code table of its own.

    Args:
        cuts: ascending places in ``payload``; the last one may be its end.
    """
    stream = compressor.compressobj(size=len(payload))
    chunks, start = [], 0
    for cut in cuts:
        if cut - start < LEAST_BLOCK_BYTES or cut >= len(payload):
            continue
        chunks += [stream.compress(payload[start:cut]), stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)]
        start = cut
    return b"".join([*chunks, stream.compress(payload[start:]), stream.flush()])


def dictionary_id(data: bytes) -> bytes:
    """Return the id of a dictionary: the first bytes of its BLAKE3 digest."""
    return blake3.blake3(data).digest(DICTIONARY_ID_BYTES)


def train(
    records: Iterable[Encodable],
    kind: str,
    *,
    origins: Mapping[str, ShareScope],
    format: Format = Format.WHB_ROW,
    size_bytes: int = DEFAULT_BYTES,
) -> Dictionary:
    """Train a dictionary on records.

    Args:
        records: bodies and single records; those of other kinds are left out.
        kind: which records it is for (``kinds.py``).
        origins: the origins that the records come from, and their share scopes.
        size_bytes: its greatest size; less where the samples do not fill it.

    Raises:
        BadInput: fewer than ``MIN_RECORDS`` records of the kind, or samples with nothing in common.

    Bounds: samples of ``MAX_SAMPLE_BYTES``; the first ones count.
    """
    if not 256 <= size_bytes <= MAX_BYTES:
        raise BadInput(f"a dictionary has 256 to {MAX_BYTES} bytes, not {size_bytes}")
    samples = _samples(records, kind, format)
    if len(samples) < MIN_RECORDS:
        raise BadInput(f"a dictionary needs at least {MIN_RECORDS} records of kind {kind}, not {len(samples)}")
    size_bytes = min(size_bytes, max(256, sum(map(len, samples)) // 2))
    try:
        trained = zstandard.train_dictionary(size_bytes, samples, k=_SEGMENT, d=_WORD, level=DEFAULT_LEVEL)
    except zstandard.ZstdError as error:
        raise BadInput(f"cannot train a dictionary of kind {kind}: {error}") from error
    share = min((scope for scope in origins.values()), key=_SCOPES.index, default=ShareScope.NEVER)
    return Dictionary(trained.as_bytes(), kind=kind, format=format, origins=tuple(sorted(origins)), share=share)


def _samples(records: Iterable[Encodable], kind: str, format: Format) -> list[bytes | bytearray | memoryview[int]]:
    """Return the payloads to train on: of lists of rows each row's, of all else the whole body's."""
    encode = payload_codec(format).encode_payload
    samples: list[bytes | bytearray | memoryview[int]] = []
    left = MAX_SAMPLE_BYTES
    for record in records:
        if kind_of(record) != kind:
            continue
        is_list = format is Format.WHB_ROW and kind not in BY_FIELD and not isinstance(record, AnyRecord)
        for sample in map(encode_item, items_of(record)) if is_list else (encode(record),):
            left -= len(sample)
            if left < 0:
                return samples
            samples.append(sample)
    return samples


class DictionaryFile(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A dictionary as a file holds it (MessagePack); positions as in ``docs/whb.md``."""

    what: str = "weedhounds dictionary"
    version: int = 1
    kind: str
    format: Format
    origins: tuple[str, ...]
    share: ShareScope
    id: bytes
    data: bytes


_file_decoder = msgspec.msgpack.Decoder(DictionaryFile)


def dump_dictionary(dictionary: Dictionary) -> bytes:
    """Return the bytes of a dictionary's file."""
    return msgspec.msgpack.encode(
        DictionaryFile(
            kind=dictionary.kind,
            format=dictionary.format,
            origins=dictionary.origins,
            share=dictionary.share,
            id=dictionary.id,
            data=dictionary.data,
        )
    )


def load_dictionary(data: bytes) -> Dictionary:
    """Return the dictionary of a file.

    Raises:
        Corrupt: not such a file, or its content has another digest.
    """
    try:
        read = _file_decoder.decode(data)
        if len(read.data) > MAX_BYTES or read.version != 1 or dictionary_id(read.data) != read.id:
            raise Corrupt("a damaged dictionary")
        return Dictionary(read.data, kind=read.kind, format=read.format, origins=read.origins, share=read.share)
    except (msgspec.MsgspecError, UnicodeDecodeError, zstandard.ZstdError, ValueError) as error:
        raise Corrupt(f"not a dictionary: {error}") from error
