"""What surrounds every request: its id, its log line, the Host check, HEAD, conditional answers.

Pure ASGI, outermost first: :class:`Observed` (request id, log line, bound on requests in
flight), :class:`HostChecked`, :class:`Conditional` (HEAD, ETag, 304). The rules that the fast path
applies too stand here once: :class:`Requests`, :class:`Hosts`, :func:`is_known`.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from typing import cast

import blake3
import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from weedhounds.api.listen import host_name
from weedhounds.api.problems import PROBLEM_TYPE, problem
from weedhounds.clock import Clock
from weedhounds.telemetry import bind_request_id, get_logger

MAX_IN_FLIGHT = 1000
"""Requests answered at once; more get a 503 that says to come again."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
_TAG_BYTES = 16
_HOSTS_REMEMBERED = 64

Field = tuple[bytes, bytes]
Fields = list[Field]
NOSNIFF: Field = (b"x-content-type-options", b"nosniff")
"""No answer may be taken for another kind of document."""


def field_of(headers: Iterable[Field], name: bytes) -> bytes | None:
    """Return the value of a request's field, the first one where it came more than once."""
    for each, value in headers:
        if each == name:
            return value
    return None


def list_of(headers: Iterable[Field], name: bytes) -> str | None:
    """Return the values of a field that is a list, joined (RFC 9110 section 5.3)."""
    values = [value.decode("latin-1") for each, value in headers if each == name]
    return ", ".join(values) if values else None


class Requests:
    """The requests being served, on whichever path: their ids, and how many there are at once.

    New ids count on from a random number: unlike those of another node or run, and no secret.
    """

    __slots__ = ("_numbers", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        self._numbers = itertools.count(int.from_bytes(os.urandom(8), "big") >> 1)

    def name(self, given: bytes | None) -> bytes:
        """Return the id of a request: the one that came with it where it is usable, else a new one."""
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return b"%016x" % next(self._numbers)


class Hosts:
    """The Host names that are answered to.

    Args:
        names: lower case, without port; ``None`` for any.

    Bounds: the last ``_HOSTS_REMEMBERED`` fields seen are remembered with their verdict.
    """

    def __init__(self, names: frozenset[str] | None) -> None:
        self._names = names
        self.is_own = lru_cache(maxsize=_HOSTS_REMEMBERED)(self._is_own)

    def _is_own(self, field: bytes | None) -> bool:
        return self._names is None or host_name((field or b"").decode("latin-1")) in self._names


async def send_problem(send: Send, status: int, detail: str, path: str, *extra: tuple[bytes, bytes]) -> None:
    """Answer with a problem document where no framework is around yet."""
    body = msgspec.json.encode(problem(status, detail, path))
    fields = [(b"content-type", PROBLEM_TYPE.encode()), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class Observed:
    """Names the request (``X-Request-Id``, in and out), counts it, and writes one log line about it.

    The query is not logged: it tells where a person is. An error that nobody below has answered
    becomes a 500 here.

    Bounds: ``MAX_IN_FLIGHT`` requests at once.
    """

    def __init__(self, app: ASGIApp, clock: Clock, requests: Requests | None = None) -> None:
        self._app = app
        self._clock = clock
        self._requests = requests or Requests()
        self._log = get_logger(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        with bind_request_id(self._requests.name(field_of(scope["headers"], b"x-request-id")).decode()) as name:
            self._requests.in_flight += 1
            try:
                await self._observe(scope, receive, send, name)
            finally:
                self._requests.in_flight -= 1

    async def _observe(self, scope: HTTPScope, receive: Receive, send: Send, name: str) -> None:
        started, seen = self._clock.monotonic(), _Seen(send, name)
        path = scope["path"]
        try:
            if self._requests.in_flight > MAX_IN_FLIGHT:
                await send_problem(seen, 503, "too many requests at once", path, (b"retry-after", b"1"))
            else:
                await self._app(scope, receive, seen)
        except Exception as error:
            self._log.error("request failed", exc_info=error)
            if not seen.status:
                await send_problem(seen, 500, "the node failed to answer", path)
        self._log.info(
            "request",
            method=scope["method"],
            path=printable(scope),
            status=seen.status,
            bytes=seen.bytes,
            ms=round((self._clock.monotonic() - started) * 1000, 1),
        )


def printable(scope: HTTPScope) -> str:
    """Return the path as it came over the wire: still encoded, so that no line break gets into a log."""
    return scope["raw_path"].partition(b"?")[0].decode("latin-1")[:200]


class _Seen:
    """A ``send`` that notes status and size, and adds the fields that every answer carries."""

    def __init__(self, send: Send, name: str) -> None:
        self._send = send
        self._name = name.encode()
        self.status = 0
        self.bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = [(b"x-request-id", self._name), NOSNIFF]
            message = {**message, "headers": [*message["headers"], *extra]}
        elif message["type"] == "http.response.body":
            self.bytes += len(message["body"])
        await self._send(message)


class HostChecked:
    """Refuses requests that were addressed to another name: a guard against DNS rebinding."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if scope["type"] == ScopeType.HTTP and not self._hosts.is_own(field_of(scope["headers"], b"host")):
            await send_problem(send, 421, "this node answers only to its own names", scope["path"])
        else:
            await self._app(scope, receive, send)


class Conditional:
    """Answers HEAD as GET without the body, and 304 where the asker holds the same answer.

    An answer without an ``ETag`` of its own gets a weak one over its bytes. Works on answers that
    come in one piece, as all of this API's do.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        answer = _Answer(send, list_of(scope["headers"], b"if-none-match"), is_head=is_head)
        await self._app(cast(HTTPScope, {**scope, "method": "GET"}), receive, answer)


class _Answer:
    """A ``send`` that holds the start of an answer until it has seen the body."""

    def __init__(self, send: Send, known: str | None, *, is_head: bool) -> None:
        self._send = send
        self._known = known
        self._is_head = is_head
        self._start: MutableMapping[str, object] | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = dict(message)
            return
        if self._start is not None and message["type"] == "http.response.body":
            body = b"" if await self._begin(message["body"]) else message["body"]
            message = {**message, "body": b"" if self._is_head else body}
        await self._send(message)

    async def _begin(self, body: bytes) -> bool:
        """Send the start; tell whether the asker holds the answer already."""
        assert self._start is not None
        start, self._start = self._start, None
        fields: Fields = list(cast(Fields, start["headers"]))
        is_same = False
        if start["status"] == 200 and (b"cache-control", b"no-store") not in fields:
            tag = next((v for n, v in fields if n == b"etag"), None)
            if tag is None:
                tag = f'W/"{blake3.blake3(body).hexdigest(_TAG_BYTES)}"'.encode()
                fields.append((b"etag", tag))
            is_same = self._known is not None and is_known(self._known, tag.decode())
        if is_same:
            fields = without_content(fields)
            start["status"] = 304
        await self._send(cast(Message, {**start, "headers": fields}))
        return is_same


def without_content(fields: Iterable[Field]) -> Fields:
    """Return the fields of a 304: those that do not describe a body."""
    return [(n, v) for n, v in fields if n not in (b"content-length", b"content-type")]


def is_known(known: str, tag: str) -> bool:
    """Tell whether an If-None-Match field names ``tag`` (weak comparison, RFC 9110 section 8.8.3.2).

    Example:
        >>> [is_known(known, 'W/"a,b"') for known in ('"a,b"', '"x", W/"a,b"', "*", '"a", "b"', "a,b")]
        [True, True, True, False, False]
    """
    return known.strip() == "*" or tag.removeprefix("W/") in _ENTITY_TAG.findall(known)
