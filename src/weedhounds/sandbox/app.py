"""The sandbox as an ASGI application: origins below ``/{origin}``, control below ``/_sandbox``.

A call goes through the gate (budget, latency, errors, faults), waits out its latency and answers.
The market itself is pure; this module does the waiting and the sending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from weedhounds.clock import Clock, ScaledClock, SystemClock
from weedhounds.sandbox.config import ORIGINS, SandboxConfig
from weedhounds.sandbox.control import Control
from weedhounds.sandbox.faults import huge_body, spoilt
from weedhounds.sandbox.gate import Call, Gate, Verdict
from weedhounds.sandbox.http import Origin, Reply, Request, json_reply, parse_query
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.origin_dutchie import Dutchie
from weedhounds.sandbox.origin_jane import Jane
from weedhounds.sandbox.origin_leafly import Leafly
from weedhounds.sandbox.origin_socrata_ct import SocrataCt
from weedhounds.sandbox.origin_weedmaps import Weedmaps

BODY_MOST = 1 << 20
ABORT = "weedhounds.abort"
"""Name of the ASGI extension by which a server offers to close the connection without an answer."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def sandbox_clock(config: SandboxConfig) -> Clock:
    """Return the market's clock: the machine's, or a scaled one from the configured start."""
    system = SystemClock()
    if config.speed == 1.0 and config.start_s is None:
        return system
    return ScaledClock(system.now() if config.start_s is None else config.start_s, config.speed)


class SandboxApp:
    """The simulated market as an ASGI callable, for a server or for calls in process.

    A call that the fault ``down`` hits ends without an answer: a server that offers the extension
    ``weedhounds.abort`` closes the connection, in process the application just returns.

    Args:
        config: checked.
        clock: whose ``now()`` is the market's time; default: as configured.
    """

    def __init__(self, config: SandboxConfig, clock: Clock | None = None) -> None:
        self.config = config.check()
        self.clock = clock or sandbox_clock(config)
        self.market = Market(config.seed)
        self.gate = Gate(config, self.clock.monotonic())
        self._control = Control(config, self.market, self.gate, self.clock)
        self._origins: dict[str, Origin] = {
            "dutchie": Dutchie(self.market),
            "jane": Jane(self.market),
            "weedmaps": Weedmaps(self.market),
            "leafly": Leafly(self.market),
            "socrata_ct": SocrataCt(self.market),
        }
        assert tuple(self._origins) == ORIGINS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; accept the server's start and stop."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        request = _request(scope, body or b"")
        name, _, rest = request.path.lstrip("/").partition("/")
        if body is None:
            await _send(send, json_reply({"error": f"a request body has at most {BODY_MOST} bytes"}, status=413))
        elif name == "_sandbox":
            await _send(send, self._control.answer(rest, request))
        elif name in self._origins:
            below = Request(
                method=request.method, path=f"/{rest}", query=request.query, headers=request.headers, body=body
            )
            await self._call(name, below, scope, receive=receive, send=send)
        else:
            known = ", ".join(f"/{origin}" for origin in ORIGINS)
            await _send(send, json_reply({"error": f"no such path; origins: {known}; control: /_sandbox"}, status=404))

    async def _call(self, origin: str, request: Request, scope: Scope, *, receive: Receive, send: Send) -> None:
        arrived_s = self.clock.monotonic()
        verdict = self.gate.enter(origin, arrived_s)
        reply, size = Reply(status=0), 0
        try:
            if verdict.fault == "down":
                await _abort(scope, receive)
                return
            if not verdict.retry_after_s and not await _wait(verdict.latency_ms / 1000, receive):
                return
            reply = self._reply(origin, request, verdict)
            size = len(reply.body)
            if verdict.fault == "huge":
                size = await _send_huge(send, receive)
                return
        finally:
            self.gate.leave(
                Call(origin, reply.kind, arrived_s, verdict.latency_ms, reply.status, size, reply.target, reply.page)
            )
        await _send(send, reply)

    def _reply(self, origin: str, request: Request, verdict: Verdict) -> Reply:
        if verdict.retry_after_s:
            refused = json_reply({"error": "Too Many Requests"}, status=429)
            return Reply(status=429, body=refused.body, headers=(("retry-after", str(verdict.retry_after_s)),))
        if verdict.is_error:
            return json_reply({"error": "Service Unavailable"}, status=503)
        reply = self._origins[origin].answer(request, self.clock.now())
        if verdict.fault is None:
            return reply
        return spoilt(reply, verdict.fault, seed=self.config.seed, number=verdict.number)


def _request(scope: Scope, body: bytes) -> Request:
    raw = scope.get("raw_path")
    path = unquote(bytes(raw).partition(b"?")[0].decode("latin-1")) if raw else str(scope["path"])
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_query(bytes(scope.get("query_string", b"")))
    return Request(method=scope["method"], path=path, query=query, headers=headers, body=body)


async def _read_body(receive: Receive) -> bytes | None:
    """Return the request's body; ``None`` where it is too long."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > BODY_MOST:
            return None
    return b"".join(parts)


async def _wait(seconds: float, receive: Receive) -> bool:
    """Wait; return ``False`` as soon as the client has gone."""
    if seconds <= 0:
        return True
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            await asyncio.sleep(seconds)  # a server that repeats the request instead of waiting
    except TimeoutError:
        pass
    return True


async def _send(send: Send, reply: Reply) -> None:
    headers = [(b"content-type", reply.media_type.encode()), (b"content-length", str(len(reply.body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers[reply.status == 304 :]})
    await send({"type": "http.response.body", "body": reply.body})


async def _send_huge(send: Send, receive: Receive) -> int:
    """Stream a body of 300 MB; stop when the client has gone; return the bytes sent."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.ensure_future(receive())
    sent = 0
    try:
        for chunk in huge_body():
            if gone.done():
                return sent
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)
            sent += len(chunk)
    finally:
        gone.cancel()
    await send({"type": "http.response.body", "body": b""})
    return sent


async def _abort(scope: Scope, receive: Receive) -> None:
    """Close the connection without an answer where the server can."""
    abort = scope.get("extensions", {}).get(ABORT)
    if abort is not None:
        abort["close"]()
        await receive()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
