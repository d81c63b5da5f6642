"""A node with its HTTP API in this process, from the first socket to the last request."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import uvicorn

from weedhounds.api import check_listen, create_app
from weedhounds.api.listen import url_of
from weedhounds.cli.nodes import settings_for
from weedhounds.cli.output import Sink, to_json
from weedhounds.cli.settings import Given
from weedhounds.errors import WeedHoundsError
from weedhounds.node import Node

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

DRAIN_TIMEOUT_S = 10
"""Seconds that requests in flight get after the signal to stop."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BACKLOG = 1024


class _Server(uvicorn.Server):
    """uvicorn, but its owner handles signals and hears when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals alone: uvicorn would raise them again once it is done, before the node has stopped."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


class _Stop:
    """Turns a signal into the end of what runs: the server's drain, or before that the start's cancellation."""

    def __init__(self) -> None:
        self.server: _Server | None = None
        self.is_asked = False
        self._task = asyncio.current_task()

    def ask(self) -> None:
        """Stop; asked again, do not wait for requests in flight."""
        if self.server is not None:
            self.server.force_exit = self.is_asked
            self.server.should_exit = True
        elif self._task is not None:
            self._task.cancel()
        self.is_asked = True


async def serve(given: Given, sandbox: str | None, *, sandbox_flags: Sequence[str], as_json: bool) -> None:
    """Run until a signal, then drain: requests in flight, the node, the sandbox that was started.

    Raises:
        ConfigError: an address that other machines reach, without leave.
        WeedHoundsError: the port is taken, or the node cannot start.
    """
    check_listen(given.load().server)
    with _signals() as stop:
        try:
            async with settings_for(given, sandbox, usual_level="info", sandbox_flags=sandbox_flags) as settings:
                with _listener(settings.server.host, settings.server.port) as listener:
                    async with Node(settings) as node:
                        url = url_of(settings.server.host, listener.getsockname()[1])
                        server = _Server(_server_config(node), lambda: _announce(url, settings.sandbox_url, as_json))
                        stop.server = server
                        await server.serve([listener])
        except asyncio.CancelledError:
            if not stop.is_asked:
                raise


@contextmanager
def _signals() -> Iterator[_Stop]:
    loop, stop = asyncio.get_running_loop(), _Stop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, stop.ask)
    try:
        yield stop
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


def _server_config(node: Node) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(node),
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_TIMEOUT_S,
    )


def _listener(host: str, port: int) -> socket.socket:
    """Return a socket that is bound: whether the port is free is known before anything is started."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise WeedHoundsError(f"cannot listen on {host}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise WeedHoundsError(f"cannot listen on {url_of(host, port)}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def _announce(url: str, sandbox_url: str | None, as_json: bool) -> None:
    if as_json:
        document = to_json({"url": url, "sandbox_url": sandbox_url})
    else:
        document = f"WeedHounds node ready on {url}\n".encode()
    Sink().write(document)
