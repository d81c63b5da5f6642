"""The fast path: records that the memory tier holds fresh are answered before the framework.

Pure ASGI, outermost. It answers ``GET`` and ``HEAD`` of one record without parameters, and only
what the node has ready as bytes; everything else, every refusal included, goes the way of all
requests. What it answers is what that way would have answered: the rules are the same objects and
functions (``middleware.py``, ``headers.py``, ``parameters.py``), and a test compares both field by
field. Only its log line differs: one of thousands a second, it is written at level debug. And only
here is an answer compressed for those who accept brotli (``packed.py``): it is there once for many.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send

from weedhounds.api.asked import Asked
from weedhounds.api.headers import record_headers
from weedhounds.api.middleware import (
    MAX_IN_FLIGHT,
    NOSNIFF,
    Field,
    Hosts,
    Requests,
    field_of,
    is_known,
    printable,
    without_content,
)
from weedhounds.api.packed import Packed, accepts_brotli
from weedhounds.api.parameters import key_of
from weedhounds.cache.rendered import Rendered
from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.telemetry import bind_request_id, get_logger

MAX_PATHS = 16_384
"""Request paths whose record key is remembered, about 500 bytes each for keys of usual length."""
_HTTP: Final = ScopeType.HTTP
_METHODS: Final = ("GET", "HEAD")
_ROUTES: Final = (("/v1/menus/", DataType.DISPENSARY_MENU), ("/v1/prices/", DataType.PRODUCT_PRICING))


class FastPath:
    """Answers hits of single records; passes everything else on to ``app``.

    Bounds: ``MAX_IN_FLIGHT`` requests at once, counted together with those of ``app``; ``MAX_PATHS``
    paths of keys; when there would be more, all are forgotten.
    """

    def __init__(self, app: ASGIApp, node: Asked, hosts: Hosts, requests: Requests) -> None:
        self._app = app
        self._node = node
        self._is_own_host = hosts.is_own
        self._requests = requests
        self._key_of_path: dict[str, str] = {}
        self._log = get_logger(__name__)
        self._packed = Packed()
        self._is_telling = logging.getLogger(__name__).isEnabledFor(logging.DEBUG)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = self._answer(scope) if scope["type"] == _HTTP else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        requests = self._requests
        requests.in_flight += 1
        try:
            await send(answer[0])
            await send(answer[1])
        finally:
            requests.in_flight -= 1

    def _answer(self, scope: HTTPScope) -> tuple[Message, Message] | None:
        """Return start and body of the answer, where this path may and can answer the request.

        As few calls as can be: each costs twice here what it costs in a loop, where caches are warm.
        """
        method = scope["method"]
        if scope["query_string"] or method not in _METHODS:
            return None
        path = scope["path"]
        key = self._key_of_path.get(path) or self._key(path)
        if key is None or self._requests.in_flight >= MAX_IN_FLIGHT:
            return None
        headers: Any = scope["headers"]
        try:
            asked: dict[bytes, bytes] = dict(headers)
            if len(asked) != len(headers) or not self._is_own_host(asked.get(b"host")):
                return None  # what a field means that came twice is decided in one place
            hit = self._node.hit(key)
        except Exception as error:  # the long way will answer, and tell what is wrong
            self._log.error("fast path failed", exc_info=error)
            return None
        if hit is None:
            return None
        status, body, fields = 200, hit.body, hit.fields or _fields_of(hit)
        if b"if-none-match" in asked and is_known(asked[b"if-none-match"].decode("latin-1"), _etag(fields)):
            status, body, fields = 304, b"", tuple(without_content(fields))
        else:
            packed = self._packed.body(key, hit) if accepts_brotli(asked.get(b"accept-encoding", b"")) else None
            if packed is not None:
                body, fields = packed, _packed_fields(fields, packed)
            if method == "HEAD":
                body = b""
        name = self._requests.name(asked.get(b"x-request-id"))
        if self._is_telling:
            self._tell(scope, status, len(body), name)
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": status,
            "headers": [*fields, (b"x-request-id", name)],
        }
        return start, {"type": "http.response.body", "body": body, "more_body": False}

    def _key(self, path: str) -> str | None:
        """Return the record key that a path asks for, and remember it; ``None`` where it asks for none."""
        key = _key_of_path(path)
        if key is not None:
            if len(self._key_of_path) >= MAX_PATHS:
                self._key_of_path.clear()
            self._key_of_path[path] = key
        return key

    def _tell(self, scope: HTTPScope, status: int, size: int, name: bytes) -> None:
        with bind_request_id(name.decode()):
            self._log.debug("request", method=scope["method"], path=printable(scope), status=status, bytes=size)


def _key_of_path(path: str) -> str | None:
    """Return the record key that a decoded path asks for; ``None`` where the framework must read it.

    Native ids with a slash in them are left to the framework, which has its own mind about slashes.
    """
    for prefix, data_type in _ROUTES:
        text = path.removeprefix(prefix)
        if text != path and "/" not in text:
            try:
                return key_of(text, data_type)
            except BadInput:
                return None
    return None


def _etag(fields: Iterable[Field]) -> str:
    return (field_of(fields, b"etag") or b"").decode()


def _packed_fields(fields: Iterable[Field], packed: bytes) -> tuple[Field, ...]:
    """Return the fields of an answer as those of its brotli stream; the weak tag names both."""
    kept = (field for field in fields if field[0] != b"content-length")
    return (*kept, (b"content-length", b"%d" % len(packed)), (b"content-encoding", b"br"))


def _fields_of(hit: Rendered) -> tuple[tuple[bytes, bytes], ...]:
    """Make the header fields of an answer, and keep them with it."""
    content = {"content-type": "application/json", "content-length": str(len(hit.body)), **record_headers(hit)}
    hit.fields = (*((n.encode(), v.encode()) for n, v in content.items()), NOSNIFF)
    return hit.fields
