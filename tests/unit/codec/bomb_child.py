"""Refuse a bomb of a gigabyte, and tell what that cost: megabytes of memory and seconds, twice.

Run by a test in a process of its own, whose greatest memory is that of the refusal alone.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import time
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from weedhounds.codec.base import Compression
from weedhounds.codec.compress import decompress
from weedhounds.errors import Corrupt

CHUNK = bytes(2**20)
CHUNKS = 1024


def bomb(compression: Compression) -> bytes:
    """Return a frame that claims nothing and becomes a gigabyte of zeros."""
    import brotli
    import lz4.frame
    import zstandard

    if compression in (Compression.ZLIB, Compression.GZIP):
        deflate = zlib.compressobj(9, wbits=31 if compression is Compression.GZIP else 15)
        return b"".join(deflate.compress(CHUNK) for _ in range(CHUNKS)) + deflate.flush()
    if compression is Compression.LZ4:
        frame = lz4.frame.LZ4FrameCompressor()
        return b"".join((frame.begin(), *(frame.compress(CHUNK) for _ in range(CHUNKS)), frame.flush()))
    if compression is Compression.BROTLI:
        stream = brotli.Compressor(quality=1)
        return b"".join((*(stream.process(CHUNK) for _ in range(CHUNKS)), stream.finish()))
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return b"".join(packer.compress(CHUNK) for _ in range(CHUNKS)) + packer.flush()


def refused(stored: bytes, compression: Compression, length: int | None) -> tuple[float, float]:
    """Return the megabytes that the process grew by and the seconds that it took to refuse the bytes."""
    gc.collect()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_s = time.perf_counter()
    try:
        decompress(stored, compression, length)
    except Corrupt:
        taken_s = time.perf_counter() - started_s
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024, taken_s
    raise SystemExit("a bomb was let through")


def main() -> None:
    """Make the bomb in another process, so that making it does not count; then refuse it."""
    compression = Compression(sys.argv[1])
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_bytes(bomb(compression))
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "bomb"
        subprocess.run((sys.executable, __file__, compression, file), check=True)
        stored = file.read_bytes()
    costs = (*refused(stored, compression, 100_000), *refused(stored, compression, None))
    print(len(stored), *costs)  # noqa: T201


if __name__ == "__main__":
    main()
