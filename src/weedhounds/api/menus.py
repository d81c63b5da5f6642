"""``/v1/menus/{key}``: what one shop carries at one origin."""

from __future__ import annotations

from litestar import Response, get

from weedhounds.api.asked import NodeDependency
from weedhounds.api.parameters import DeadlineS, Key, Offline
from weedhounds.api.problems import documented
from weedhounds.api.records import record_response
from weedhounds.model.datatypes import DataType
from weedhounds.query.answer import RecordAnswer


@get(
    "/v1/menus/{key:path}",
    operation_id="menu",
    summary="The menu of one shop at one origin",
    responses=documented(404, 429, 502, 504),
)
async def menu(
    node: NodeDependency, *, key: Key, deadline_s: DeadlineS = None, offline: Offline = False
) -> Response[RecordAnswer]:
    """Return the products of a ``dispensary_menu`` key, with their provenance."""
    return await record_response(node, key, DataType.DISPENSARY_MENU, deadline_s=deadline_s, offline=offline)
