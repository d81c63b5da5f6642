"""The sandbox as a server: uvicorn on uvloop with httptools, in this process."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from weedhounds.errors import ConfigError
from weedhounds.sandbox.app import ABORT, SandboxApp
from weedhounds.sandbox.config import SandboxConfig

BACKLOG = 1024


class _Protocol(HttpToolsProtocol):
    """Offers the application to close the connection without an answer (the fault ``down``)."""

    def on_headers_complete(self) -> None:
        """Add the extension to the request's scope."""
        self.scope["extensions"] = {ABORT: {"close": self.transport.abort}}
        super().on_headers_complete()


class _Server(uvicorn.Server):
    """Tells when it listens; SIGINT and SIGTERM end it, and are not raised again afterwards."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the two signals while serving, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start and, once connections are taken, tell so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def run_sandbox(config: SandboxConfig, ready: Callable[[str], None]) -> None:
    """Serve the market until SIGINT or SIGTERM; print nothing.

    Args:
        ready: called once with the address (``http://host:port``) when it listens.

    Raises:
        ConfigError: a value out of range, or the address cannot be listened on.
    """
    app = SandboxApp(config)
    with _listening(config) as listener:
        host, port = listener.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        settings = uvicorn.Config(
            app,
            loop="uvloop",
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=True,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        _Server(settings, lambda: ready(address)).run(sockets=[listener])


def _listening(config: SandboxConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from error
    return listener
