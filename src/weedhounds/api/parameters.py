"""The parameters that several routes share, with the bounds that the description states."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote

from litestar.params import PathParameter, QueryParameter

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.query.hunt import MAX_DEADLINE_S, MAX_LIMIT, MAX_RADIUS_KM

Near = Annotated[
    str, QueryParameter(description='A city ("Denver, CO"), a ZIP code or "lat,lon".', max_length=100, required=True)
]
RadiusKm = Annotated[
    float | None,
    QueryParameter(
        ge=0,
        le=MAX_RADIUS_KM,
        schema_extra={"minimum": 0},
        description="Radius in kilometres; default: the setting hunt.radius_km (25).",
    ),
]
DeadlineS = Annotated[
    float | None,
    QueryParameter(
        gt=0,
        le=MAX_DEADLINE_S,
        schema_extra={"exclusiveMinimum": 0},
        description="Seconds until the answer is given with what is there; default: the setting hunt.deadline_s (5).",
    ),
]
Limit = Annotated[
    int | None,
    QueryParameter(ge=1, le=MAX_LIMIT, description="Most items in the answer; default: the setting hunt.limit (200)."),
]
Cursor = Annotated[
    str | None, QueryParameter(max_length=7, description="meta.next_cursor of the page before.")
]  # fmt: skip
Offline = Annotated[
    bool, QueryParameter(description="Ask the tiers alone, and serve what they hold however old it is.")
]  # fmt: skip
Key = Annotated[
    str,
    PathParameter(description="A record key, percent-encoded as a part of a path, or its short form origin:id."),
]


def key_of(text: str, data_type: DataType) -> str:
    """Return the record key of ``data_type`` that a path names, whole or in the short form ``origin:id``.

    The native id may come encoded as in a key or plain: a path was decoded once on its way here.

    Raises:
        BadInput: not a key, or a key of another data type.
    """
    parts = text.removeprefix("/").split(":")
    if len(parts) == 2:
        parts = [data_type.value, *parts]
    if len(parts) > 2:
        parts[2] = quote(unquote(parts[2]), safe="")
    key = RecordKey.parse(":".join(parts))
    if key.data_type is not data_type:
        raise BadInput(f"expected a {data_type.value} key, not {key}", key=str(key))
    return str(key)
