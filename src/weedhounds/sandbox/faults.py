"""Answers made wrong on purpose: each fault turns a right answer into what some origin once sent."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from weedhounds.sandbox.draws import rng
from weedhounds.sandbox.gate import FaultName
from weedhounds.sandbox.http import Reply, encode

HUGE_BYTES = 300_000_000
CHUNK_BYTES = 65_536
CHALLENGE = (
    b'<!DOCTYPE html><html lang="en"><head><title>Just a moment...</title></head><body><h1>Checking your browser</h1>'
    b"<p>Enable JavaScript and cookies to continue.</p></body></html>"
)


def spoilt(reply: Reply, fault: FaultName, *, seed: int, number: int) -> Reply:
    """Return the reply under a fault; faults of timing and connection leave it as it is."""
    if fault in ("html", "html200"):
        status, media_type = (403 if fault == "html" else 200), "text/html; charset=UTF-8"
        return msgspec.structs.replace(reply, status=status, body=CHALLENGE, media_type=media_type, headers=())
    if fault == "truncated":
        body = reply.body[: len(reply.body) // 2]
    elif fault == "garbage":
        body = rng(seed, "garbage", number).randbytes(max(64, min(len(reply.body), 4096)))
    elif fault == "wrong_types":
        body = encode(_wrong(msgspec.json.decode(reply.body or b"null")))
    else:
        return reply
    return msgspec.structs.replace(reply, status=200, body=body, headers=())


def _wrong(value: object) -> object:
    """Return the same structure with every leaf of another type."""
    if isinstance(value, dict):
        return {name: _wrong(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_wrong(part) for part in value]
    if isinstance(value, bool):
        return "perhaps"
    if isinstance(value, int | float):
        return {"not": ["a", "number"]}
    return 12345 if isinstance(value, str) else [None]


def huge_body(total: int = HUGE_BYTES) -> Iterator[bytes]:
    """Yield a JSON list that never ends, ``total`` bytes in chunks made on the fly."""
    item = b'{"id":"0","name":"padding","value":"' + b"x" * 400 + b'"},'
    chunk = (item * (CHUNK_BYTES // len(item) + 1))[:CHUNK_BYTES]
    sent = 0
    while sent < total:
        part = chunk[: total - sent]
        yield b"[" + part[1:] if sent == 0 else part
        sent += len(part)
