"""Sending the calls of one origin: within its budget, with retries, counted.

An :class:`OriginClient` passes each call through the origin's gate (:mod:`weedhounds.sources.limits`),
has it sent by the node's one :class:`Fetcher`, and turns the answer's status into bytes or a typed
error. What the bytes mean is not known here, and no redirect leads to another host.

The retry loop is our own: a retry takes a token of the budget, and neither it nor its wait may
pass a deadline that is told in the injected clock's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from yarl import URL

from weedhounds.errors import (
    ConfigError,
    DeadlinePassed,
    NotFound,
    OriginRejected,
    OriginUnavailable,
    RateLimited,
    SourceError,
)
from weedhounds.sources.base import Call, OriginConfig
from weedhounds.sources.limits import Gate
from weedhounds.sources.transport import Fetcher, Reply, as_utf8, retry_after_s
from weedhounds.telemetry import CallCounter, Counters, Histogram, LatencySummary, get_logger

__all__ = ["Answer", "Fetcher", "OriginClient", "OriginStats", "Validators", "located"]

MAX_REDIRECTS = 3
MAX_BACKOFF_S = 10.0
FASTEST_SHARE = 0.05
"""Quantile of the observed latencies that counts as the least time an answer takes."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({202, 408, 425})  # 202: an open-data server's "not ready, ask again"
_VALIDATOR_CHARS = 512

log = get_logger("weedhounds.sources.fetch")


def located(
    error: SourceError, *, origin: str | None = None, key: str | None = None, elapsed_s: float | None = None
) -> SourceError:
    """Return ``error`` with the place filled in where it was open (errors keep their arguments)."""
    origin, key = error.origin or origin, error.key or key
    elapsed_s = elapsed_s if error.elapsed_s is None else error.elapsed_s
    if isinstance(error, RateLimited):
        return type(error)(error.message, error.retry_after_s, key, origin, elapsed_s)
    return type(error)(error.message, key, origin, elapsed_s, error.retryable)


class Validators(msgspec.Struct, frozen=True):
    """What a conditional request asks with (RFC 9110 section 13.1)."""

    etag: str | None = None
    last_modified: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One answer of an origin.

    Args:
        body: UTF-8 where it is text, decompressed; empty when ``not_modified``.
        elapsed_s: of the attempt that was answered, seconds.
        fetched_at: Unix seconds (the clock of facts) at which it was complete.
    """

    body: bytes
    status: int
    etag: str | None
    last_modified: str | None
    not_modified: bool
    elapsed_s: float
    fetched_at: float


class OriginStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one origin since start, for ``/v1/stats``; ``calls`` counts attempts that went out."""

    calls: int
    retries: int
    rate_limited: int
    bytes: int
    errors: Mapping[str, int]
    latency: LatencySummary
    tokens: float
    in_flight: int
    waiting: int


class OriginClient:
    """Sends the calls of one origin: within its budget, with retries, counted.

    Args:
        counters: node-wide counts (``origin_calls``, ``origin_retries``, …).

    Raises:
        ConfigError: the option ``web_base`` is no address.
    """

    def __init__(self, config: OriginConfig, fetcher: Fetcher, counters: Counters) -> None:
        self.config = config
        self._fetcher = fetcher
        self._clock = fetcher.clock
        self._counters = counters
        self._gate = Gate(config.budget, fetcher.clock)
        self._latency = Histogram()
        self._errors = Counters()
        self._calls = self._retries = self._rate_limited = self._bytes = 0
        self._other_sites = _allowed_sites(config)

    async def send(
        self, call: Call, *, deadline: float | None, validators: Validators | None = None, trace: CallCounter
    ) -> Answer:
        """Send ``call`` and return its answer.

        Args:
            deadline: monotonic seconds after which nobody waits; ``None`` bounds the whole by the
                time that all attempts may take.
            validators: of the copy held; the answer may then be ``not_modified``.
            trace: charged with every attempt in the moment in which it goes out.

        Raises:
            OriginUnavailable: no answer in time, no connection, a server error, after all attempts.
            RateLimited: the origin (429) or our budget for it allows no call before the deadline.
            NotFound: the origin has no such thing.
            OriginRejected: blocked, refused, redirected to another host.
            SchemaMismatch: an answer over the limit, or none in HTTP.
        """
        settings = self._fetcher.settings
        started = self._clock.monotonic()
        limit = started + settings.attempts * (settings.timeout_s + MAX_BACKOFF_S) if deadline is None else deadline
        try:
            return await self._send_within(call, limit, validators, trace)
        except SourceError as error:
            self._errors.add(type(error).__name__)
            self._counters.add("origin_errors")
            elapsed_s = self._clock.monotonic() - started
            raise located(error, origin=self.config.origin, elapsed_s=elapsed_s) from error.__cause__

    def stats(self) -> OriginStats:
        """Return the figures."""
        return OriginStats(
            calls=self._calls,
            retries=self._retries,
            rate_limited=self._rate_limited,
            bytes=self._bytes,
            errors=self._errors.snapshot(),
            latency=self._latency.summary(),
            tokens=self._gate.tokens,
            in_flight=self._gate.in_flight,
            waiting=self._gate.waiting,
        )

    async def _send_within(self, call: Call, limit: float, validators: Validators | None, trace: CallCounter) -> Answer:
        request = _Request(self._address(call), call, _headers(call, validators))
        attempts = self._fetcher.settings.attempts
        for attempt in range(1, attempts + 1):
            charge = _Charge(self, trace)
            await self._enter(limit, is_urgent=call.page > 0 or attempt > 1)
            try:
                return await self._once(request, limit, charge)
            except (OriginUnavailable, RateLimited) as error:
                wait_s = self._wait_s(attempt, error)
                if not error.retryable or attempt == attempts or self._clock.monotonic() + wait_s >= limit:
                    raise
                log.debug("retry", origin=self.config.origin, attempt=attempt, why=error.message, wait_s=wait_s)
            finally:
                self._gate.leave()
            self._retries += 1
            self._counters.add("origin_retries")
            await asyncio.sleep(wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _enter(self, limit: float, *, is_urgent: bool) -> None:
        if self._clock.monotonic() >= limit:
            raise DeadlinePassed("deadline passed before the call", retryable=False)
        needs_s = self._latency.quantile(FASTEST_SHARE)
        await self._gate.enter(deadline=limit, needs_s=needs_s, is_urgent=is_urgent)

    async def _once(self, request: _Request, limit: float, charge: CallCounter) -> Answer:
        """Make one attempt, redirects within the origin included."""
        left_s = limit - self._clock.monotonic()
        timeout_s = min(self._fetcher.settings.timeout_s, left_s)
        url, call, headers = request.url, request.call, request.headers
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._fetcher.exchange(url, call, headers, charge)
                for _ in range(MAX_REDIRECTS):
                    if reply.status not in _REDIRECTS:
                        break
                    url = _redirected(url, call, reply)
                    reply = await self._fetcher.exchange(url, call, headers, charge)
                body = await as_utf8(reply)
        except TimeoutError as error:
            if timeout_s == left_s:
                raise DeadlinePassed("deadline passed before the answer", retryable=False) from error
            raise OriginUnavailable(f"no answer within {timeout_s:g} s") from error
        self._latency.observe(reply.elapsed_s)
        self._bytes += len(reply.body)
        return self._judge(request, reply, body)

    def _judge(self, request: _Request, reply: Reply, body: bytes) -> Answer:
        """Turn a status into an answer or a typed error."""
        status = reply.status
        if status == 429:
            raise self._limited(reply)
        if status >= 500 or status in _TRY_AGAIN:
            raise OriginUnavailable(f"the origin answered {status}")
        if status in (404, 410):
            raise NotFound(f"not found ({status})")
        if status == 304 and request.is_conditional:
            return self._answer(reply, b"", not_modified=True)
        if _is_html(reply) and not request.wants_html:
            raise OriginRejected(f"blocked: HTML instead of data ({status})")
        if not 200 <= status < 300:
            raise OriginRejected(f"the origin refused ({status})")
        return self._answer(reply, body, not_modified=False)

    def _answer(self, reply: Reply, body: bytes, *, not_modified: bool) -> Answer:
        return Answer(
            body=body,
            status=reply.status,
            etag=_validator(reply, "ETag"),
            last_modified=_validator(reply, "Last-Modified"),
            not_modified=not_modified,
            elapsed_s=reply.elapsed_s,
            fetched_at=self._clock.now(),
        )

    def _limited(self, reply: Reply) -> RateLimited:
        """Pause the whole origin for as long as it asks."""
        self._rate_limited += 1
        self._counters.add("origin_429")
        asked_s = retry_after_s(reply, self._clock.now())
        wait_s = self._fetcher.settings.retry_base_s if asked_s is None else asked_s
        self._gate.pause(wait_s)
        return RateLimited(f"the origin answered 429 (may be asked again in {wait_s:g} s)", wait_s)

    def _wait_s(self, attempt: int, error: SourceError) -> float:
        """Return the wait before the next attempt: half fixed, half drawn, doubling."""
        ceiling = min(MAX_BACKOFF_S, self._fetcher.settings.retry_base_s * 2.0 ** (attempt - 1))
        wait_s = ceiling * (0.5 + 0.5 * self._fetcher.rng.random())
        return max(wait_s, error.retry_after_s or 0.0) if isinstance(error, RateLimited) else wait_s

    def _called(self, *, is_repeated: bool) -> None:
        self._calls += 1
        self._counters.add("origin_calls")
        if is_repeated:
            self._gate.charge()

    def _address(self, call: Call) -> URL:
        """Return where ``call`` goes: below the base address, or to a host that the settings name."""
        if call.path.startswith("/"):
            url = _url(self.config.base_url + call.path)
        else:
            url = _url(call.path)
            if _site(url) not in self._other_sites:
                raise OriginRejected("the address lies outside of the origin's hosts")
        return url.extend_query(list(call.params)) if call.params else url


class _Request(msgspec.Struct, frozen=True):
    """A call with its whole address and all its headers (names in lower case)."""

    url: URL
    call: Call
    headers: Mapping[str, str]

    @property
    def is_conditional(self) -> bool:
        return "if-none-match" in self.headers or "if-modified-since" in self.headers

    @property
    def wants_html(self) -> bool:
        return "text/html" in self.headers.get("accept", "")


class _Charge:
    """Counts the requests of one attempt for client and payer.

    aiohttp repeats a request by itself when a kept connection turns out to be closed, and a
    redirect is a request too: those have passed no gate and are charged to the budget.
    """

    __slots__ = ("_client", "_sent", "_trace")

    def __init__(self, client: OriginClient, trace: CallCounter) -> None:
        self._client = client
        self._trace = trace
        self._sent = 0

    def called(self) -> None:
        self._trace.called()
        self._client._called(is_repeated=self._sent > 0)
        self._sent += 1


def _headers(call: Call, validators: Validators | None) -> dict[str, str]:
    headers = {name.lower(): value for name, value in call.headers}
    if validators is not None and validators.etag:
        headers["if-none-match"] = validators.etag
    if validators is not None and validators.last_modified:
        headers["if-modified-since"] = validators.last_modified
    return headers


def _url(text: str) -> URL:
    try:
        url = URL(text, encoded=True)
        port = url.port
    except ValueError as error:
        raise OriginRejected("the address cannot be used") from error
    if url.scheme not in ("http", "https") or not url.host or port is None or url.user:
        raise OriginRejected("the address cannot be used")
    return url


def _site(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port


def _allowed_sites(config: OriginConfig) -> frozenset[tuple[str, str | None, int | None]]:
    """Return the sites besides the base address that the origin's calls may go to."""
    named = config.options.get("web_base", "").replace(",", " ").split()
    try:
        return frozenset(_site(_url(base)) for base in named)
    except OriginRejected as error:
        raise ConfigError(f"origin {config.origin}: web_base is no http address", origin=config.origin) from error


def _redirected(url: URL, call: Call, reply: Reply) -> URL:
    """Return where a redirect within the origin leads.

    Raises:
        OriginRejected: it leads to another host, or would need the body to be sent again.
    """
    try:
        target = url.join(URL(reply.headers.get("Location", "")))
        is_same = _site(target) == _site(url)
    except ValueError:
        is_same = False
    if not is_same or call.method != "GET":
        raise OriginRejected(f"redirected elsewhere ({reply.status}), which is not followed")
    return target


def _is_html(reply: Reply) -> bool:
    head = reply.body[:256].lstrip().lower()
    is_page = head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
    return is_page or (reply.content_type == "text/html" and not head.startswith((b"{", b"[")))


def _validator(reply: Reply, name: str) -> str | None:
    """Return a validator; ``None`` where it is absent or too long to keep."""
    value = reply.headers.get(name)
    return value if value and len(value) <= _VALIDATOR_CHARS else None
