"""``/v1/dispensaries``: the shops near a place."""

from __future__ import annotations

from litestar import Response, get

from weedhounds.api.asked import NodeDependency
from weedhounds.api.headers import gathered_headers
from weedhounds.api.parameters import Cursor, DeadlineS, Limit, Near, Offline, RadiusKm
from weedhounds.api.problems import documented
from weedhounds.query.answer import DispensariesAnswer


@get(
    "/v1/dispensaries",
    operation_id="dispensaries",
    summary="The shops near a place, nearest first",
    responses=documented(),
)
async def dispensaries(
    node: NodeDependency,
    *,
    near: Near,
    radius_km: RadiusKm = None,
    deadline_s: DeadlineS = None,
    limit: Limit = None,
    cursor: Cursor = None,
    offline: Offline = False,
) -> Response[DispensariesAnswer]:
    """Return the shops within the radius, each merged over the origins that list it."""
    answer = await node.dispensaries(
        near,
        radius_km=radius_km,
        deadline_s=deadline_s,
        limit=limit or node.settings.hunt.limit,
        cursor=cursor,
        offline=offline,
    )
    return Response(answer, headers=gathered_headers(answer.meta.by_tier))
