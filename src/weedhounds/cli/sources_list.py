"""``weedhounds sources list``: the origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weedhounds.cli.options import Json

if TYPE_CHECKING:
    from weedhounds.sources.base import SourceInfo

EXAMPLE = "Example: weedhounds sources list --json"


def list_sources(*, as_json: Json = False) -> None:
    """Show each origin: what it gives, how it is asked, whether it needs a key, its terms, its tests."""
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.sources import ORIGINS, source_class

    infos = [source_class(origin).info() for origin in ORIGINS]
    sink = Sink()
    if as_json:
        sink.write(to_json({"sources": [_document(info) for info in infos]}))
        return
    from weedhounds.cli.tables import Column, render_table, terminal_width

    columns = (
        Column("origin"),
        Column("data types"),
        Column("protocol", drop=2),
        Column("key needed"),
        Column("share"),
        Column("tested against", drop=1),
        Column("attribution", drop=3),
    )
    rows = [_cells(info) for info in infos]
    sink.write(render_table(columns, rows, terminal_width(sink.is_terminal)).encode())


def _document(info: SourceInfo) -> dict[str, object]:
    terms = info.live.terms
    return {
        "origin": info.origin,
        "name": info.name,
        "protocol": info.protocol,
        "data_types": [data_type.value for data_type in info.data_types],
        "key_needed": info.key_needed,
        "terms": {
            "share": terms.share.value,
            "attribution": terms.attribution,
            "licence": terms.licence,
            "storage_limit_s": terms.storage_limit_s,
        },
        "tested": {str(kind): tested.value for kind, tested in info.tested.items()},
    }


def _cells(info: SourceInfo) -> tuple[str, ...]:
    terms = info.live.terms
    return (
        info.origin,
        ", ".join(data_type.value for data_type in info.data_types),
        info.protocol,
        info.key_needed or "no",
        terms.share.value,
        ", ".join(f"{kind}: {tested.value}" for kind, tested in info.tested.items()),
        terms.attribution or "",
    )
