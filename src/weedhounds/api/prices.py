"""``/v1/prices/{key}``: all prices and stock of one shop at one origin."""

from __future__ import annotations

from litestar import Response, get

from weedhounds.api.asked import NodeDependency
from weedhounds.api.parameters import DeadlineS, Key, Offline
from weedhounds.api.problems import documented
from weedhounds.api.records import record_response
from weedhounds.model.datatypes import DataType
from weedhounds.query.answer import RecordAnswer


@get(
    "/v1/prices/{key:path}",
    operation_id="prices",
    summary="The prices of one shop at one origin",
    responses=documented(404, 429, 502, 504),
)
async def prices(
    node: NodeDependency, *, key: Key, deadline_s: DeadlineS = None, offline: Offline = False
) -> Response[RecordAnswer]:
    """Return the prices and stock of a ``product_pricing`` key, with their provenance."""
    return await record_response(node, key, DataType.PRODUCT_PRICING, deadline_s=deadline_s, offline=offline)
