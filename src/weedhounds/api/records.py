"""One record over HTTP: what the routes of menus and prices share."""

from __future__ import annotations

from litestar import Response
from litestar.exceptions import NotFoundException

from weedhounds.api.asked import Asked
from weedhounds.api.headers import record_headers
from weedhounds.api.parameters import key_of
from weedhounds.model.datatypes import DataType
from weedhounds.query.answer import RecordAnswer


async def record_response(
    node: Asked, text: str, data_type: DataType, *, deadline_s: float | None, offline: bool
) -> Response[RecordAnswer]:
    """Answer with the record that ``text`` names.

    Raises:
        BadInput: no key of ``data_type``.
        NotFoundException: nobody has it.
    """
    key = key_of(text, data_type)
    answer = await node.record(key, deadline_s=deadline_s, offline=offline)
    if answer is None:
        raise NotFoundException(detail=f"nobody has {key}")
    return Response(answer, headers=record_headers(answer))
