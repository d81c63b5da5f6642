"""``/v1/prices/{key}``: all prices and stock of one shop at one origin, now or over time."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import QueryParameter

from weedhounds.api.asked import Asked, NodeDependency
from weedhounds.api.parameters import DeadlineS, Key, Limit, Offline, key_of
from weedhounds.api.problems import documented
from weedhounds.api.records import record_response
from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.query.answer import RecordAnswer
from weedhounds.query.pricehistory import PriceHistory, parse_time

Since = Annotated[
    str | None,
    QueryParameter(
        max_length=40, description="Tell how the prices changed from then on: ISO 8601 (UTC without a zone) or Unix seconds."
    ),
]  # fmt: skip
Product = Annotated[
    str | None, QueryParameter(max_length=200, description="With since: the native id of one product; default: all.")
]
HistoryCursor = Annotated[
    str | None, QueryParameter(max_length=20, description="With since: next_cursor of the page before.")
]


@get(
    "/v1/prices/{key:path}",
    operation_id="prices",
    summary="The prices of one shop at one origin, now or over time",
    responses=documented(404, 429, 502, 504),
)
async def prices(
    node: NodeDependency,
    *,
    key: Key,
    since: Since = None,
    product: Product = None,
    limit: Limit = None,
    cursor: HistoryCursor = None,
    deadline_s: DeadlineS = None,
    offline: Offline = False,
) -> Response[RecordAnswer | PriceHistory]:
    """Return the prices and stock of a ``product_pricing`` key, with their provenance.

    With ``since``: what they were then and every change that this node has seen since; no origin is asked.
    """
    if since is not None:
        return await _over_time(node, key, since, product=product, limit=limit, cursor=cursor)
    if product is not None or limit is not None or cursor is not None:
        raise BadInput("product, limit and cursor go with since")
    answer = await record_response(node, key, DataType.PRODUCT_PRICING, deadline_s=deadline_s, offline=offline)
    return Response(answer.content, headers=answer.headers)


async def _over_time(
    node: Asked, text: str, since: str, *, product: str | None, limit: int | None, cursor: str | None
) -> Response[RecordAnswer | PriceHistory]:
    key = key_of(text, DataType.PRODUCT_PRICING)
    answer = await node.price_history(
        key,
        since=parse_time(since),
        product_id=product,
        limit=limit or node.settings.hunt.limit,
        cursor=cursor,
    )
    if answer is None:
        raise NotFoundException(detail=f"no prices of {key} were ever observed here")
    return Response(answer, headers={"cache-control": "private, max-age=0"})
