"""The one HTTP client: connections, bounded answers, and the moment in which a request goes out.

Knows nothing of budgets, retries or origins (:mod:`weedhounds.sources.fetch`), and keeps nothing of
an answer: no cookies, no redirects.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Self, cast

import aiohttp
import msgspec
from yarl import URL

from weedhounds.clock import Clock
from weedhounds.config import FetchSettings
from weedhounds.errors import OriginRejected, OriginUnavailable, SchemaMismatch
from weedhounds.sources.base import Call
from weedhounds.telemetry import CallCounter

KEEPALIVE_S = 4.0
"""How long an idle connection is kept. Common servers (uvicorn, Node) close theirs after 5 s; a
request that meets the closing would be counted here and never seen there."""
MAX_CONNECTIONS = 512
_ERROR_BODY_BYTES = 64 * 1024
_TRANSCODE_OFF_LOOP_BYTES = 256 * 1024
_CHARSETS = {
    "iso-8859-1": "cp1252",  # as browsers read it (WHATWG Encoding, section 4.2)
    "latin-1": "cp1252",
    "windows-1252": "cp1252",
    "iso-8859-15": "iso-8859-15",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
"""Encodings other than UTF-8 that are decoded; Python has codecs that hostile text makes crawl."""


class Reply(msgspec.Struct, frozen=True):
    """What came back for one request; ``body`` is decompressed, and cut off for error statuses."""

    status: int
    headers: Mapping[str, str]
    content_type: str
    charset: str | None
    body: bytes
    elapsed_s: float


class Connected:
    """Whoever counts a request may want to know of its connection too."""

    __slots__ = ()

    def connected(self, *, is_new: bool) -> None:
        """Learn that the request has its connection: a new one, or one that was kept."""


async def _going_out(_s: aiohttp.ClientSession, context: SimpleNamespace, _p: object) -> None:
    """Count a request whose headers are about to be written.

    Nothing can be cancelled between this signal and the write: without a body it is the same step,
    and the task that writes a body is scheduled ahead of any cancellation (a test tries every moment).
    """
    cast(CallCounter, context.trace_request_ctx).called()


async def _new_connection(_s: aiohttp.ClientSession, context: SimpleNamespace, _p: object) -> None:
    if isinstance(context.trace_request_ctx, Connected):
        context.trace_request_ctx.connected(is_new=True)


async def _kept_connection(_s: aiohttp.ClientSession, context: SimpleNamespace, _p: object) -> None:
    if isinstance(context.trace_request_ctx, Connected):
        context.trace_request_ctx.connected(is_new=False)


class Fetcher:
    """The node's one HTTP client: connections are reused, answers are bounded.

    Use as an asynchronous context manager, or :meth:`start` and :meth:`close`.

    Bounds: ``MAX_CONNECTIONS`` connections; ``settings.max_body_bytes`` of each answer.
    """

    def __init__(self, settings: FetchSettings, clock: Clock, *, rng: random.Random | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self.rng = rng or random.Random()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the session in the running loop."""
        _use_fast_zlib()
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_going_out)
        tracing.on_connection_create_end.append(_new_connection)
        tracing.on_connection_reuseconn.append(_kept_connection)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS, ttl_dns_cache=60, keepalive_timeout=KEEPALIVE_S, resolver=_resolver()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self.settings.user_agent, "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=None),  # asyncio.timeout is exact; aiohttp rounds above 5 s
            trace_configs=[tracing],
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def exchange(self, url: URL, call: Call, headers: Mapping[str, str], counter: CallCounter) -> Reply:
        """Send one request once and read its answer; bounds only its size.

        Args:
            counter: told when the request goes out; a :class:`Connected` of its connection as well.

        Raises:
            OriginUnavailable: no connection, or one that broke.
            SchemaMismatch: not HTTP, or an answer over the limit.
        """
        if self._session is None:
            raise OriginUnavailable("the client is closed", retryable=False)
        started = self.clock.monotonic()
        try:
            async with self._session.request(
                call.method,
                url,
                data=call.body or None,
                headers=headers,
                allow_redirects=False,
                trace_request_ctx=counter,
            ) as response:
                body = await self._read(response)
        except aiohttp.ClientPayloadError as error:
            raise OriginUnavailable("the connection broke within the answer") from error
        except aiohttp.ClientResponseError as error:
            raise SchemaMismatch(f"not an HTTP answer: {error.message:.80}") from error
        except ValueError as error:  # aiohttp.InvalidURL, and headers that no request may carry
            raise OriginRejected("the request cannot be sent") from error
        except (aiohttp.ClientError, OSError) as error:
            raise OriginUnavailable(f"no connection to {url.host}: {type(error).__name__}") from error
        elapsed_s = self.clock.monotonic() - started
        return Reply(response.status, response.headers, response.content_type, response.charset, body, elapsed_s)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """Read the body; stop, and drop the connection, where it passes the limit."""
        is_error = response.status >= 400
        limit = _ERROR_BODY_BYTES if is_error else self.settings.max_body_bytes
        chunks: list[bytes] = []
        size = response.content_length or 0  # a declared length over the limit is refused unread
        if size <= limit:
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > limit:
                    break
                chunks.append(chunk)
        if size > limit:
            response.close()
            if not is_error:
                raise SchemaMismatch(f"answer over the limit of {limit} bytes")
        return b"".join(chunks)


def _use_fast_zlib() -> None:
    """Let aiohttp inflate with ISA-L where it is installed."""
    try:
        from isal import isal_zlib
    except ImportError:
        return
    aiohttp.set_zlib_backend(isal_zlib)


def _resolver() -> aiohttp.abc.AbstractResolver:
    """Return c-ares where it can be used (it reads /etc/hosts too), else the system's resolver in a thread."""
    try:
        return aiohttp.AsyncResolver()
    except (RuntimeError, OSError):
        return aiohttp.ThreadedResolver()


def retry_after_s(reply: Reply, now: float) -> float | None:
    """Return the seconds that Retry-After asks for (RFC 9110 section 10.2.3), or ``None``.

    A date is compared with the answer's own Date, so that neither a wrong clock nor a scaled one
    changes the wait.
    """
    text = reply.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text).timestamp()
        sent = reply.headers.get("Date")
        since = parsedate_to_datetime(sent).timestamp() if sent else now
    except (ValueError, OverflowError):
        return None
    return max(0.0, until - since)


async def as_utf8(reply: Reply) -> bytes:
    """Return the body in UTF-8: untouched where it is, decoded as the header says otherwise."""
    codec = _CHARSETS.get((reply.charset or "").lower())
    if codec is None:
        return reply.body.removeprefix(b"\xef\xbb\xbf")
    if len(reply.body) > _TRANSCODE_OFF_LOOP_BYTES:
        return await asyncio.to_thread(_transcode, reply.body, codec)
    return _transcode(reply.body, codec)


def _transcode(body: bytes, codec: str) -> bytes:
    return body.decode(codec, "replace").encode()
