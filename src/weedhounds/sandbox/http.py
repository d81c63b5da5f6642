"""Requests and answers between the HTTP server and the origins; no I/O.

An origin is a function of a request and the time. Validators are made here: an answer that
carries an ETag turns into 304 where the request's ``If-None-Match`` names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from typing import Protocol
from urllib.parse import parse_qsl

import blake3
import msgspec

JSON = "application/json; charset=utf-8"
_encoder = msgspec.json.Encoder()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to one origin.

    Args:
        path: below the origin's base address; begins with ``/``.
        query: parameters, decoded; of repeated ones the last.
        headers: names in lower case.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer.

    Args:
        kind: names the sort of call in the log ("menu", "near", …).
        target, page: what the log says it is of; see :class:`weedhounds.sandbox.gate.Call`.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "other"
    media_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    page: int = 0


class Origin(Protocol):
    """One origin's interface over the market."""

    def answer(self, request: Request, now: float) -> Reply:
        """Return what the origin answers at market time ``now``."""
        ...


def parse_query(raw: bytes) -> dict[str, str]:
    """Return the parameters of a query string; undecodable bytes are replaced; none where there are over 200."""
    try:
        return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=200))
    except ValueError:
        return {}


def json_reply(
    value: object, kind: str = "other", *, status: int = 200, target: str | None = None, page: int = 0
) -> Reply:
    """Return ``value`` as a JSON answer."""
    return Reply(status=status, body=_encoder.encode(value), kind=kind, target=target, page=page)


def encode(value: object) -> bytes:
    """Return ``value`` as JSON."""
    return _encoder.encode(value)


def json_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in ``body``; empty where it holds none."""
    try:
        value = msgspec.json.decode(body or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def whole(value: object, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
    """Return the whole number that ``value`` states, cut to ``least``..``most``; ``default`` where none."""
    try:
        number = int(str(value)) if value is not None else default
    except ValueError:
        number = default
    return min(max(number, least), most)


def decimal(value: object, default: float = 0.0) -> float:
    """Return the finite number that ``value`` states; ``default`` where none."""
    try:
        number = float(str(value))
    except ValueError:
        return default
    return number if abs(number) < 1e12 else default


def validated(reply: Reply, request: Request, *, weak: bool, changed_s: float | None = None) -> Reply:
    """Return the reply with its validators, or 304 where the client holds the same body.

    Args:
        weak: whether the ETag is a weak one.
        changed_s: Unix seconds for ``Last-Modified``, where told.
    """
    tag = f'{"W/" if weak else ""}"{blake3.blake3(reply.body).hexdigest(12)}"'
    headers = [*reply.headers, ("etag", tag)]
    if changed_s is not None:
        headers.append(("last-modified", formatdate(changed_s, usegmt=True)))
    held = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
    if reply.status == 200 and (tag.removeprefix("W/") in held or "*" in held):
        return msgspec.structs.replace(reply, status=304, body=b"", headers=tuple(headers))
    return msgspec.structs.replace(reply, headers=tuple(headers))
