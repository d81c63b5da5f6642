"""The reference of the HTTP API lists the routes, parameters, fields and problems that the code has."""

from __future__ import annotations

import re

import msgspec
import pytest
from docpages import page

from weedhounds.api.app import routes_described
from weedhounds.api.description import describe
from weedhounds.api.middleware import MAX_IN_FLIGHT
from weedhounds.api.problems import Problem, problem_types
from weedhounds.cache.meter import RequestStats
from weedhounds.cache.recorder import HistoryStats
from weedhounds.cache.tier import TierStats, TypeStats
from weedhounds.config import HuntSettings
from weedhounds.model.provenance import Provenance
from weedhounds.node import NodeStats
from weedhounds.query.answer import (
    DispensariesAnswer,
    FoundOffer,
    HuntAnswer,
    Meta,
    NearbyShop,
    OfferShop,
    RecordAnswer,
    StrainAnswer,
)
from weedhounds.query.pricehistory import PriceHistory, PricePoint
from weedhounds.readthrough import ReadStats
from weedhounds.sources.fetch import OriginStats
from weedhounds.telemetry import LatencySummary
from weedhounds.workers.pool import PoolStats

PAGE = page("docs/reference/http.md")
PATHS = describe(routes_described())["paths"]
TABLES: list[tuple[str, str, type[msgspec.Struct]]] = [
    ("A hunt's answer", "field", HuntAnswer),
    ("A hunt's answer", "field of `meta`", Meta),
    ("A hunt's answer", "field of an offer", FoundOffer),
    ("A hunt's answer", "field of `provenance`", Provenance),
    ("A record's answer", "field", RecordAnswer),
    ("A strain's answer", "field", StrainAnswer),
    ("Prices over time", "field of a history", PriceHistory),
    ("Prices over time", "field of a point", PricePoint),
    ("The node's figures", "field of `/v1/stats`", NodeStats),
    ("The node's figures", "field of `read`", ReadStats),
    ("The node's figures", "field of a tier", TierStats),
]


def table(section: str, first: str) -> list[list[str]]:
    """Return the rows of the table in a section whose first column has that heading."""
    text = PAGE.text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = text.partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    assert rows, f"no table {first} in {section}"
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_every_route_is_listed_and_no_other() -> None:
    assert [row[0].strip("`") for row in table("Routes", "route")] == list(PATHS)


def test_every_route_lists_its_parameters_in_their_order() -> None:
    told = {row[0].strip("`"): sorted(re.findall(r"`(\w+)`", row[1])) for row in table("Parameters", "route")}
    described = {
        path: sorted(parameter["name"] for parameter in item["get"].get("parameters", ()))
        for path, item in PATHS.items()
    }
    assert told == {path: names for path, names in described.items() if names}


def test_the_bounds_of_parameters_are_those_of_the_description() -> None:
    parameters = {
        p["name"]: p for item in PATHS.values() for p in item["get"].get("parameters", ()) if p["in"] == "query"
    }
    rows = {row[0].strip("`"): row for row in table("Parameters", "parameter")}
    assert set(rows) == set(parameters)
    for name, parameter in parameters.items():
        schema, told = parameter["schema"], [float(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", rows[name][1])]
        bounds = [schema[k] for k in ("minimum", "exclusiveMinimum", "maximum", "maxLength") if k in schema]
        assert told == ([] if name == "cursor" else bounds), name
        assert (rows[name][2] == "required") is parameter["required"]


def test_the_defaults_of_parameters_are_those_of_the_settings() -> None:
    rows = {row[0].strip("`"): row[2] for row in table("Parameters", "parameter")}
    for name in ("radius_km", "deadline_s", "limit"):
        assert rows[name] == f"setting `hunt.{name}` ({getattr(HuntSettings(), name):g})"


@pytest.mark.parametrize(("section", "first", "struct"), TABLES, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_every_field_of_an_answer_is_explained(section: str, first: str, struct: type[msgspec.Struct]) -> None:
    assert [row[0].strip("`") for row in table(section, first)] == list(struct.__struct_fields__)


SMALLER: list[type[msgspec.Struct]] = [
    OfferShop, NearbyShop, DispensariesAnswer, Problem,
    RequestStats, TypeStats, OriginStats, HistoryStats, PoolStats, LatencySummary,
]  # fmt: skip


@pytest.mark.parametrize("struct", SMALLER, ids=lambda s: s.__name__)
def test_every_field_of_a_smaller_part_is_named(struct: type[msgspec.Struct]) -> None:
    assert [field for field in struct.__struct_fields__ if f"`{field}`" not in PAGE.text] == []


def test_every_problem_is_listed_as_the_page_of_the_docs_explains_it() -> None:
    assert table("Problems", "status") == [[str(status), f"`{slug}`", text] for slug, status, text in problem_types()]


def test_the_bound_on_requests_is_the_codes() -> None:
    assert f"At most {MAX_IN_FLIGHT:,} requests are answered at once" in PAGE.text
