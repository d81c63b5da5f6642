"""``/v1/strains/{slug}``: what origins and registries say of a strain."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from weedhounds.api.asked import NodeDependency
from weedhounds.api.parameters import DeadlineS, Offline
from weedhounds.api.problems import documented
from weedhounds.query.answer import StrainAnswer

Slug = Annotated[
    str, PathParameter(max_length=200, description='The strain\'s name, as "blue-dream" or "Blue Dream".')
]  # fmt: skip


@get(
    "/v1/strains/{slug:str}",
    operation_id="strain",
    summary="What is known of a strain",
    responses=documented(404, 429, 502, 504),
)
async def strain(
    node: NodeDependency, *, slug: Slug, deadline_s: DeadlineS = None, offline: Offline = False
) -> StrainAnswer:
    """Return description, potency, terpenes and laboratory results of a strain, each with its origin."""
    answer = await node.strain(slug, deadline_s=deadline_s, offline=offline)
    if answer is None:
        raise NotFoundException(detail=f"nobody knows the strain {slug}")
    return answer
