"""What runs inside a job process. Imports only what parsing needs: a process is small and starts fast.

Everything in and out is bytes, plain structs or typed errors, which keep their arguments when
they cross.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing import connection, parent_process

import msgspec

from weedhounds.pages import Filled, Page, encode_parsed, join_pages, parse_answer, read_page
from weedhounds.sources import source_class
from weedhounds.sources.base import Call, Kind, Load, Source

PAGE = msgspec.msgpack.Decoder(Page)
FILLED = msgspec.msgpack.Decoder(tuple[Filled, ...])


def begin() -> None:
    """Prepare a new process: leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent to be gone. A killed parent closes no queue: its children would wait for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def ready() -> int:
    """Return the process id; answering means that the imports are done."""
    return os.getpid()


def page(source: Source, load: Load, call: Call, body: bytes) -> bytes:
    """Read one answer of a load; return a :class:`Page` as MessagePack."""
    return msgspec.msgpack.encode(read_page(source, load, call, body))


def join(load: Load, pages: Sequence[bytes]) -> bytes:
    """Join the pages of a load; return the :class:`Filled` as MessagePack."""
    return msgspec.msgpack.encode(join_pages(load, pages))


def parse(origin: str, kind: Kind | None, body: bytes, currency: str) -> bytes:
    """Parse one answer; return what it holds as MessagePack."""
    return encode_parsed(parse_answer(source_class(origin), body, kind, currency))
