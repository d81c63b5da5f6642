"""An origin on loopback that behaves as a test tells it, and clients that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from weedhounds.clock import SystemClock
from weedhounds.config import FetchSettings
from weedhounds.model.provenance import Terms
from weedhounds.sources.base import Budget, Call, Kind, OriginConfig
from weedhounds.sources.fetch import Fetcher, OriginClient
from weedhounds.telemetry import Counters

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]
CLOCK = SystemClock()
GENEROUS = Budget(burst=200, rate_per_s=200.0, concurrency=100)
SETTINGS = FetchSettings(retry_base_s=0.01, timeout_s=5.0, max_body_bytes=1 << 20)
GET = Call(kind=Kind.MENU, path="/menu")
POST = Call(kind=Kind.MENU, path="/menu", method="POST", body=b'{"page":0}')


class OriginServer:
    """An origin that counts what reaches it and behaves as it is told."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.peers: set[object] = set()
        self.requests: list[web.Request] = []
        self.base_url = ""
        self.behave: Behaviour = self.json
        self.bytes_sent = 0
        self._arrived = asyncio.Event()

    @property
    def calls(self) -> int:
        """Return how many calls have arrived."""
        return len(self.arrivals)

    async def json(self, _: web.Request) -> web.StreamResponse:
        """Answer well."""
        return web.json_response({"ok": True})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Count a call and answer it as told."""
        self.arrivals.append(CLOCK.monotonic())
        self.requests.append(request)
        self.peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        self._arrived.set()
        return await self.behave(request)

    async def reached(self, calls: int) -> None:
        """Wait until so many calls have arrived (the test's time limit ends the wait)."""
        while self.calls < calls:
            self._arrived.clear()
            await self._arrived.wait()


def client_of(
    base_url: str,
    fetcher: Fetcher,
    budget: Budget = GENEROUS,
    options: dict[str, str] | None = None,
    *,
    calls_per_day: int | None = None,
) -> OriginClient:
    """Return a client of the origin at ``base_url``."""
    config = OriginConfig(
        origin="jane",
        base_url=base_url,
        budget=budget,
        terms=Terms(),
        options=options or {},
        calls_per_day=calls_per_day,
    )
    return OriginClient(config, fetcher, Counters())


def within(seconds: float) -> float:
    """Return the deadline that is so many seconds away."""
    return CLOCK.monotonic() + seconds


class SkippingClock:
    """The machine's clock with hours that can be skipped: waits are real, what is remembered grows old at once."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        """Return Unix seconds."""
        return CLOCK.now() + self._ahead_s

    def monotonic(self) -> float:
        """Return elapsed seconds, skipped ones included."""
        return CLOCK.monotonic() + self._ahead_s

    def skip(self, seconds: float) -> None:
        """Let time pass that nobody waits for."""
        self._ahead_s += seconds
