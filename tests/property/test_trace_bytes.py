"""Files of a trace are a user's: whatever their bytes, they are read or refused with words."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from weedhounds.errors import BadInput
from weedhounds.sim.trace import Trace, read_trace

CELLS = st.sampled_from(
    ("key", "t", "a", "b", "", "1", "-5.5", "1e999", "nan", '"', '""', "\x00", "\ufeff", "lab_results", "tz", "é", "\r")
)
LINES = st.lists(st.lists(CELLS, max_size=6).map(",".join), max_size=12).map("\n".join)
GOOD = st.lists(st.tuples(st.sampled_from("ab"), st.floats(-1e9, 1e9)), max_size=20).map(
    lambda rows: "\n".join(["key,t", *(f"{key},{t!r}" for key, t in rows)])
)
TEXTS = st.one_of(GOOD, LINES, LINES.map(lambda text: "key,t\n" + text)).map(str.encode)
FILES = st.one_of(TEXTS, TEXTS.map(gzip.compress), TEXTS.map(lambda b: gzip.compress(b)[:-5]), st.binary(max_size=60))
ITEMS = st.one_of(FILES, TEXTS.map(lambda text: b"key,dtype,source,tz,weight\n" + text))


@given(changes=FILES, requests=FILES, items=ITEMS, outages=FILES)
@settings(max_examples=150)
def test_any_bytes_are_read_or_refused(changes: bytes, requests: bytes, items: bytes, outages: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, data in (("c", changes), ("r", requests), ("i", items), ("o", outages)):
            paths.append(Path(folder) / name)
            paths[-1].write_bytes(data)
        for given_paths in ((paths[0], paths[1], None), (paths[0], paths[1], paths[2])):
            try:
                trace = read_trace(*given_paths, outages=None if given_paths[2] is None else paths[3])
            except BadInput:
                continue
            assert_in_order(trace)


def assert_in_order(trace: Trace) -> None:
    """Check what every other part relies on."""
    assert trace.request_times
    assert trace.request_times == sorted(trace.request_times)
    assert all(times == sorted(set(times)) for times in trace.changes)
    assert trace.start <= trace.request_times[0]
