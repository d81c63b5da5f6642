"""The rivals of ``bench_fastpath.py``: a server for one file's bytes, with the settings that a node's server has.

``bare``: an ASGI callable. ``fastapi``: a route that returns the parsed document. ``fastapi-bytes``: a
route that returns the bytes in a Response. Prints its address as a JSON line; SIGTERM ends it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop


def bare(body: bytes) -> Any:
    """Return the least that answers: two fields, one body."""
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app


def fastapi(body: bytes, *, is_parsed: bool) -> Any:
    """Return an application with one route and a parameter in its path."""
    from fastapi import FastAPI, Response

    app = FastAPI(openapi_url=None)
    document = msgspec.json.decode(body)

    @app.get("/v1/menus/{key}")
    async def menu(key: str) -> Any:
        return document if is_parsed else Response(body, media_type="application/json")

    return app


APPS: dict[str, Callable[[bytes], Any]] = {
    "bare": bare,
    "fastapi": lambda body: fastapi(body, is_parsed=True),
    "fastapi-bytes": lambda body: fastapi(body, is_parsed=False),
}


class Announced(uvicorn.Server):
    """Prints its address once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say where."""
        await super().startup(sockets)
        assert sockets is not None
        print(msgspec.json.encode({"url": f"http://127.0.0.1:{sockets[0].getsockname()[1]}"}).decode(), flush=True)


async def main(kind: str, body: bytes) -> None:
    """Serve until SIGTERM."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(  # as weedhounds.cli.serve, but for the lifespan, of which there is none
        APPS[kind](body), http="httptools", ws="none", lifespan="off",
        log_config=None, access_log=False, server_header=False,
    )  # fmt: skip
    await Announced(config).serve([listener])


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))
