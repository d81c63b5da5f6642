"""Sending the calls of one origin: within its budget, with retries, counted.

An :class:`OriginClient` lets each call past the breaker (:mod:`weedhounds.sources.outage`) and through
the origin's gate (:mod:`weedhounds.sources.limits`), has it sent by the node's one :class:`Fetcher`, a
second time where it takes unusually long (:mod:`weedhounds.sources.hedging`), and turns the answer's
status into bytes or a typed error. What the bytes mean is not known here.

The retry loop is our own: a retry takes a token of the budget, and neither it nor its wait may
pass a deadline that is told in the injected clock's time.
"""

from __future__ import annotations

import asyncio

import msgspec

from weedhounds.errors import (
    DeadlinePassed,
    NotFound,
    OriginRejected,
    OriginUnavailable,
    RateLimited,
    SourceError,
)
from weedhounds.sources.base import Call, OriginConfig
from weedhounds.sources.hedging import Hedging
from weedhounds.sources.limits import Gate
from weedhounds.sources.outage import Outage, Outcome
from weedhounds.sources.request import REDIRECTS, Request, Sites, Validators, is_page, redirected, validator
from weedhounds.sources.tally import OriginStats, Tally
from weedhounds.sources.transport import Connected, Fetcher, Reply, as_utf8, retry_after_s
from weedhounds.telemetry import CallCounter, Counters, get_logger

__all__ = ["Answer", "Fetcher", "OriginClient", "OriginStats", "Validators", "located"]

MAX_REDIRECTS = 3
MAX_BACKOFF_S = 10.0
FASTEST_SHARE = 0.05
"""Quantile of the observed latencies that counts as the least time an answer takes."""
UNANSWERED_S = 2.0
"""A call given up for its asker's deadline counts as failed after so long, if that is far beyond
(``FAR_BEYOND`` times) what nearly all answers take. A shorter wait says nothing of the origin."""
FAR_BEYOND = 3.0
_NEARLY_ALL = 0.95
_TRY_AGAIN = frozenset({202, 408, 425})  # 202: an open-data server's "not ready, ask again"

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
        self._gate = Gate(config.budget, fetcher.clock, calls_per_day=config.calls_per_day)
        self._outage = Outage(fetcher.clock)
        self._hedging = Hedging(fetcher.settings.hedge_share)
        self._tally = Tally(counters)
        self._sites = Sites(config)

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
            OriginUnavailable: no answer in time, no connection, a server error, after all attempts; or,
                at once and without a call, the breaker is open.
            RateLimited: the origin (429) or our budget for it allows no call before the deadline.
            NotFound: the origin has no such thing.
            OriginRejected: blocked, refused, redirected to another host.
            SchemaMismatch: an answer over the limit, or none in HTTP.
        """
        settings = self._fetcher.settings
        started = self._clock.monotonic()
        limit = started + settings.attempts * (settings.timeout_s + MAX_BACKOFF_S) if deadline is None else deadline
        try:
            request = self._sites.request(call, validators)
            self._check_deadline(limit)
            sending = _Sending(request, limit, trace, is_trial=await self._outage.enter(limit))
            try:
                return await self._attempts(sending)
            finally:
                self._outage.leave(sending.outcome, is_trial=sending.is_trial)
        except SourceError as error:
            self._tally.failed(error)
            elapsed_s = self._clock.monotonic() - started
            raise located(error, origin=self.config.origin, elapsed_s=elapsed_s) from error.__cause__

    def stats(self) -> OriginStats:
        """Return the figures."""
        return self._tally.stats(self._gate, self._outage)

    async def _attempts(self, sending: _Sending) -> Answer:
        """Try until there is an answer, an error that no retry mends, or no time left."""
        attempts = 1 if sending.is_trial else self._fetcher.settings.attempts
        for attempt in range(1, attempts + 1):
            await self._enter(sending, is_urgent=sending.request.call.page > 0 or attempt > 1)
            try:
                return await self._attempt(sending)
            except (OriginUnavailable, RateLimited) as error:
                wait_s = self._wait_s(attempt, error)
                is_late = self._clock.monotonic() + wait_s >= sending.limit
                if not error.retryable or attempt == attempts or is_late or self._is_shut_for(sending):
                    raise
                log.debug("retry", origin=self.config.origin, attempt=attempt, why=error.message, wait_s=wait_s)
            finally:
                self._gate.leave()
            self._tally.add("retries")
            await asyncio.sleep(wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _enter(self, sending: _Sending, *, is_urgent: bool) -> None:
        """Pass the gate; the breaker may have opened meanwhile."""
        self._check_deadline(sending.limit)
        needs_s = self._tally.latency.quantile(FASTEST_SHARE)
        await self._gate.enter(deadline=sending.limit, needs_s=needs_s, is_urgent=is_urgent)
        if self._is_shut_for(sending):
            self._gate.leave_unused()
            raise self._outage.refusal()

    def _is_shut_for(self, sending: _Sending) -> bool:
        return self._outage.is_shut and not sending.is_trial

    def _check_deadline(self, limit: float) -> None:
        if self._clock.monotonic() >= limit:
            raise DeadlinePassed("deadline passed before the call", retryable=False)

    async def _attempt(self, sending: _Sending) -> Answer:
        """Make one attempt, and the same again where its answer takes unusually long."""
        delay_s = None if sending.is_trial else self._hedging.delay_s
        started = self._clock.monotonic()
        try:
            if delay_s is None:
                return await self._once(sending, _Charge(self._tally, self._gate, sending.trace))
            return await self._hedged(sending, delay_s)
        finally:
            if sending.outcome is Outcome.ANSWERED:
                self._hedging.observe(self._clock.monotonic() - started)

    async def _hedged(self, sending: _Sending, delay_s: float) -> Answer:
        """Make one attempt, and after ``delay_s`` a second one; the first good answer counts.

        The second one waits for nothing: without a token, a place in flight and a share left, there is none.
        """
        first = asyncio.create_task(self._once(sending, _Charge(self._tally, self._gate, sending.trace)))
        tasks = [first]
        try:
            await asyncio.wait(tasks, timeout=delay_s)
            if not first.done():
                if self._may_hedge():
                    charge = _Charge(self._tally, self._gate, sending.trace, is_hedge=True)
                    tasks.append(asyncio.create_task(self._once(sending, charge)))
                answered = await _first_good(tasks)
                if answered is not first:
                    self._tally.add("hedges_won")
                return answered.result()
        finally:
            try:
                if len(tasks) > 1 or not first.done():
                    await _end(tasks)
            finally:
                if len(tasks) > 1:
                    self._gate.leave()
        return first.result()

    def _may_hedge(self) -> bool:
        """Take what a second call needs, a place in the gate too; tell whether all of it was there."""
        if self._outage.is_shut or self._hedging.delay_s is None or not self._gate.enter_now():
            return False
        return self._hedging.spend()

    async def _once(self, sending: _Sending, charge: _Charge) -> Answer:
        """Make one request, redirects within the origin included."""
        started = self._clock.monotonic()
        left_s = sending.limit - started
        timeout_s = min(self._fetcher.settings.timeout_s, left_s)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._exchange(sending.request, charge)
                body = await as_utf8(reply)
        except TimeoutError as error:
            if timeout_s == left_s:
                self._given_up(sending, started)
                raise DeadlinePassed("deadline passed before the answer", retryable=False) from error
            sending.outcome = Outcome.FAILED
            raise OriginUnavailable(f"no answer within {timeout_s:g} s") from error
        except asyncio.CancelledError:
            self._given_up(sending, started)
            raise
        except OriginUnavailable:
            sending.outcome = Outcome.FAILED
            raise
        self._tally.answered(reply.elapsed_s, len(reply.body))
        return self._judge(sending, reply, body)

    async def _exchange(self, request: Request, charge: _Charge) -> Reply:
        url = request.url
        reply = await self._fetcher.exchange(url, request.call, request.headers, charge)
        for _ in range(MAX_REDIRECTS):
            if reply.status not in REDIRECTS:
                break
            url = redirected(url, request.call, reply)
            self._gate.check_day()
            reply = await self._fetcher.exchange(url, request.call, request.headers, charge)
        return reply

    def _given_up(self, sending: _Sending, started: float) -> None:
        """Note that nobody waits any longer: a failure where the wait was long for this origin."""
        usual_s = self._tally.latency.quantile(_NEARLY_ALL)
        waited_s = self._clock.monotonic() - started
        if sending.outcome is Outcome.UNTOLD and waited_s >= max(UNANSWERED_S, FAR_BEYOND * usual_s):
            sending.outcome = Outcome.FAILED

    def _judge(self, sending: _Sending, reply: Reply, body: bytes) -> Answer:
        """Turn a status into an answer or a typed error."""
        status, request = reply.status, sending.request
        if status == 429:
            sending.outcome = Outcome.LIMITED
            raise self._limited(reply)
        if status >= 500 or status in _TRY_AGAIN:
            sending.outcome = Outcome.FAILED if status >= 500 else Outcome.LIMITED
            if status == 503 and (asked_s := retry_after_s(reply, self._clock.now())) is not None:
                self._gate.pause(asked_s)
            raise OriginUnavailable(f"the origin answered {status}")
        is_blocked = is_page(reply) and not request.wants_html and status not in (304, 404, 410)
        sending.outcome = Outcome.CHALLENGED if is_blocked else Outcome.ANSWERED
        if is_blocked:
            self._tally.add("challenged")
            self._gate.challenged()
            raise OriginRejected(f"blocked: HTML instead of data ({status})")
        if status not in (401, 403):
            self._gate.succeeded()
        if status in (404, 410):
            raise NotFound(f"not found ({status})")
        if status == 304 and request.is_conditional:
            return self._answer(reply, b"", not_modified=True)
        if not 200 <= status < 300:
            raise OriginRejected(f"the origin refused ({status})")
        return self._answer(reply, body, not_modified=False)

    def _answer(self, reply: Reply, body: bytes, *, not_modified: bool) -> Answer:
        return Answer(
            body=body,
            status=reply.status,
            etag=validator(reply, "ETag"),
            last_modified=validator(reply, "Last-Modified"),
            not_modified=not_modified,
            elapsed_s=reply.elapsed_s,
            fetched_at=self._clock.now(),
        )

    def _limited(self, reply: Reply) -> RateLimited:
        """Slow down, and pause the whole origin for as long as it asks."""
        self._tally.add("rate_limited")
        asked_s = retry_after_s(reply, self._clock.now())
        wait_s = self._fetcher.settings.retry_base_s if asked_s is None else asked_s
        self._gate.limited(wait_s)
        return RateLimited(f"the origin answered 429 (may be asked again in {wait_s:g} s)", wait_s)

    def _wait_s(self, attempt: int, error: SourceError) -> float:
        """Return the wait before the next attempt: half fixed, half drawn, doubling."""
        ceiling = min(MAX_BACKOFF_S, self._fetcher.settings.retry_base_s * 2.0 ** (attempt - 1))
        wait_s = ceiling * (0.5 + 0.5 * self._fetcher.rng.random())
        return max(wait_s, error.retry_after_s or 0.0) if isinstance(error, RateLimited) else wait_s


class _Sending:
    """One call on its way: its request, its limit (monotonic seconds), who pays, what it tells of the origin."""

    __slots__ = ("is_trial", "limit", "outcome", "request", "trace")

    def __init__(self, request: Request, limit: float, trace: CallCounter, *, is_trial: bool) -> None:
        self.request = request
        self.limit = limit
        self.trace = trace
        self.is_trial = is_trial
        self.outcome = Outcome.UNTOLD


class _Charge(Connected):
    """Counts the requests of one attempt for client and payer.

    aiohttp repeats a request by itself when a kept connection turns out to be closed, and a
    redirect is a request too: those have passed no gate and are charged to the budget.
    """

    __slots__ = ("_gate", "_is_hedge", "_sent", "_tally", "_trace")

    def __init__(self, tally: Tally, gate: Gate, trace: CallCounter, *, is_hedge: bool = False) -> None:
        self._tally = tally
        self._gate = gate
        self._trace = trace
        self._is_hedge = is_hedge
        self._sent = 0

    def called(self) -> None:
        self._trace.called()
        self._tally.add("calls")
        if self._sent:
            self._gate.charge()
        elif self._is_hedge:
            self._tally.add("hedges")
        self._sent += 1

    def connected(self, *, is_new: bool) -> None:
        self._tally.add("connections_new" if is_new else "connections_reused")


async def _end(tasks: list[asyncio.Task[Answer]]) -> None:
    """End what still runs; an error that nobody needs any more is dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _first_good(tasks: list[asyncio.Task[Answer]]) -> asyncio.Task[Answer]:
    """Return the first task with an answer, or with an error that the other would meet as well.

    Where both fail it is the last one.
    """
    waiting = set(tasks)
    while True:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            is_final = not isinstance(error, OriginUnavailable | RateLimited)
            if is_final or not waiting:
                return task
