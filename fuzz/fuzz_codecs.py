"""Fuzz the codec with atheris: whatever the bytes, only typed errors come out, within bounded memory and time.

The first byte of an input chooses what reads the rest: the envelope, or one format's payload or one
compression's frame behind a checksum that is right. What is read must be written and read again.

    python fuzz/fuzz_codecs.py --seconds 60

Atheris is optional (``pip install atheris``; wheels for Linux, Python 3.11 to 3.13). Without it this
says so and ends: the property tests under ``tests/property`` try the same things.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / ".hypothesis" / "fuzz"
"""Where an input goes that was not refused as it should be."""

RSS_LIMIT_MB = 1024
TIMEOUT_S = 10
MAX_INPUT_BYTES = 8192
CHILD = "--child"
SPARE_S = 60


def main() -> int:
    """Run the fuzzer in a process of its own, from a corpus of good envelopes; return its exit code."""
    if sys.argv[1:2] == [CHILD]:
        return _fuzz(sys.argv[:1] + sys.argv[2:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, metavar="S", help="how long to fuzz (60)")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="keep what was found there, for the next run")
    given = parser.parse_args()
    if find_spec("atheris") is None:
        print("atheris is not installed: the property tests alone fuzz the codec (pip install atheris)")  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory() as folder:
        corpus = given.corpus or Path(folder) / "corpus"
        _seed(corpus)
        FOUND.mkdir(parents=True, exist_ok=True)
        flags = (
            f"-max_total_time={given.seconds}",
            f"-rss_limit_mb={RSS_LIMIT_MB}",
            f"-timeout={TIMEOUT_S}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-artifact_prefix={FOUND}/",
            "-print_final_stats=1",
        )
        command = (sys.executable, __file__, CHILD, str(corpus), *flags)
        return subprocess.run(command, timeout=given.seconds + SPARE_S, check=False).returncode


def _seed(corpus: Path) -> None:
    """Write one good input for every format, compression and record type."""
    sys.path[:0] = [str(ROOT / "tests")]
    from record_strategies import RECORD_TYPES, filled
    from weedhounds.codec import Compression, Format, encode
    from weedhounds.codec.base import payload_codec
    from weedhounds.codec.compress import LEVELS, compress

    corpus.mkdir(parents=True, exist_ok=True)
    for kind in RECORD_TYPES:
        for n, format_ in enumerate(Format):
            payload = payload_codec(format_).encode_payload(filled(kind, 1))
            (corpus / f"{kind.__name__}-{format_}").write_bytes(bytes([1 + n]) + payload)
            (corpus / f"{kind.__name__}-{format_}-envelope").write_bytes(
                b"\0" + encode(filled(kind, 1), format_, Compression.ZSTD)
            )
    for n, compression in enumerate(LEVELS):
        stored = compress(b"Invented Haze " * 40, compression)
        (corpus / f"frame-{compression}").write_bytes(bytes([1 + len(Format) + n]) + stored)


def _fuzz(arguments: list[str]) -> int:
    import atheris

    with atheris.instrument_imports(include=["weedhounds.codec"]):
        import weedhounds.codec.arrow_format
        import weedhounds.codec.encoding
        import weedhounds.codec.json_format
        import weedhounds.codec.msgpack_format
        import weedhounds.codec.orjson_format
        import weedhounds.codec.protobuf_format
        import weedhounds.codec.whb_column
        import weedhounds.codec.whb_row  # noqa: F401
    atheris.Setup(arguments, read_input)
    atheris.Fuzz()
    return 0


def read_input(data: bytes) -> None:
    """Read one input; anything but a typed error, or a record that is not the same again, is a find."""
    from weedhounds.codec import Format, decode
    from weedhounds.codec.compress import LEVELS, decompress, output_limit
    from weedhounds.errors import CodecError

    if not data:
        return
    choice, rest = data[0] % (1 + len(Format) + len(LEVELS)), data[1:]
    try:
        if choice == 0:
            decode(rest)
        elif choice <= len(Format):
            _read_payload(rest, list(Format)[choice - 1])
        else:
            payload = decompress(rest, list(LEVELS)[choice - 1 - len(Format)])
            assert len(payload) <= output_limit(len(rest))
    except CodecError:
        return


def _read_payload(payload: bytes, format_: object) -> None:
    from weedhounds.codec.base import Format, payload_codec
    from weedhounds.errors import Corrupt

    assert isinstance(format_, Format)
    codec = payload_codec(format_)
    record = codec.decode_payload(payload)
    try:
        again = codec.encode_payload(record)
    except Corrupt:  # an integer of 64 bits, which is read and not written
        return
    assert codec.decode_payload(again) == record


if __name__ == "__main__":
    sys.exit(main())
