"""``weedhounds sources list``: the origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weedhounds.cli.options import ConfigFile, Json

if TYPE_CHECKING:
    from weedhounds.sources.base import OriginConfig, SourceInfo

EXAMPLE = "Example: weedhounds sources list --json"


def list_sources(*, config: ConfigFile = None, as_json: Json = False) -> None:
    """Show each origin: what it gives, how it is asked and how often, whether it needs a key, its terms, its tests."""
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.cli.settings import Given
    from weedhounds.origins import known_origins
    from weedhounds.sources import source_class

    configs = known_origins(Given(config).load())
    listed = [(source_class(origin).info(), each) for origin, each in configs.items()]
    sink = Sink()
    if as_json:
        sink.write(to_json({"sources": [_document(info, each) for info, each in listed]}))
        return
    from weedhounds.cli.tables import Column, render_table, terminal_width

    columns = (
        Column("origin"),
        Column("data types"),
        Column("protocol", drop=2),
        Column("key needed"),
        Column("burst", "right", 2),
        Column("calls/s", "right", 1),
        Column("at once", "right", 2),
        Column("calls/day", "right", 1),
        Column("share"),
        Column("tested against", drop=1),
        Column("attribution", drop=3),
    )
    rows = [_cells(info, each) for info, each in listed]
    sink.write(render_table(columns, rows, terminal_width(sink.is_terminal)).encode())


def _document(info: SourceInfo, config: OriginConfig) -> dict[str, object]:
    terms, budget = config.terms, config.budget
    return {
        "origin": info.origin,
        "name": info.name,
        "protocol": info.protocol,
        "data_types": [data_type.value for data_type in info.data_types],
        "key_needed": info.key_needed,
        "enabled": config.enabled,
        "budget": {
            "burst": budget.burst,
            "rate_per_s": budget.rate_per_s,
            "concurrency": budget.concurrency,
            "calls_per_day": config.calls_per_day,
        },
        "terms": {
            "share": terms.share.value,
            "attribution": terms.attribution,
            "licence": terms.licence,
            "storage_limit_s": terms.storage_limit_s,
        },
        "tested": {str(kind): tested.value for kind, tested in info.tested.items()},
    }


def _cells(info: SourceInfo, config: OriginConfig) -> tuple[str, ...]:
    terms, budget = config.terms, config.budget
    return (
        info.origin,
        ", ".join(data_type.value for data_type in info.data_types),
        info.protocol,
        info.key_needed or "no",
        f"{budget.burst:,}",
        f"{budget.rate_per_s:.3g}",
        f"{budget.concurrency:,}",
        "" if config.calls_per_day is None else f"{config.calls_per_day:,}",
        terms.share.value,
        ", ".join(f"{kind}: {tested.value}" for kind, tested in info.tested.items()),
        terms.attribution or "",
    )
