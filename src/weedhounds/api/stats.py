"""``/v1/stats``: the node's figures since its start."""

from __future__ import annotations

from litestar import Response, get

from weedhounds.api.asked import NodeDependency
from weedhounds.api.problems import documented
from weedhounds.node import NodeStats


@get("/v1/stats", operation_id="stats", summary="Figures of the node since its start", responses=documented())
async def stats(node: NodeDependency) -> Response[NodeStats]:
    """Return what became of requests, and the figures of tiers, origins, price history and job processes."""
    return Response(node.stats(), headers={"cache-control": "no-store"})
