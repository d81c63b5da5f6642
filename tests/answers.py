"""Where recorded and hand-made answers lie, and how one is read."""

from __future__ import annotations

import gzip
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT.parent / "shared" / "data"
GOLDEN = ROOT / "tests" / "golden"


def read_answer(path: Path) -> bytes:
    """Return the bytes of a recorded or golden answer, decompressed where it ends in ``.gz``."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
