"""``/healthz`` and ``/readyz``: is the process alive, and can the node answer."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import ServiceUnavailableException
from litestar.handlers import BaseRouteHandler

from weedhounds.api.asked import Asked, NodeDependency
from weedhounds.api.problems import documented

_NO_STORE = {"cache-control": "no-store"}


class Alive(msgspec.Struct, frozen=True):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct, frozen=True):
    """The node answers questions."""

    status: Literal["ready"] = "ready"


@get("/healthz", operation_id="alive", summary="Whether the process is alive", responses=documented())
async def healthz() -> Response[Alive]:
    """Return at once, whatever state the node is in."""
    return Response(Alive(), headers=_NO_STORE)


@get("/readyz", operation_id="ready", summary="Whether the node can answer", responses=documented())
async def readyz(node: NodeDependency) -> Response[Ready]:
    """Return 200 where the node answers questions, 503 while it starts or stops."""
    refuse_unready(node)
    return Response(Ready(), headers=_NO_STORE)


def refuse_unready(node: Asked) -> None:
    """Raise the problem of a node that is not ready."""
    if not node.is_ready:
        raise ServiceUnavailableException(detail="the node is starting or stopping")


def ready_guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Let no question pass while the node is not ready."""
    refuse_unready(connection.app.state.node)
