"""Connecticut's brand registry as a Socrata resource over the market.

``/resource/egd5-wb6r.json`` with ``$where`` (equality and ``like`` on a column or on ``upper(column)``,
joined by ``AND``), ``$order``, ``$limit``, ``$offset``. All values are text; what was not detected
is "<0.1", and a column without a value is absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from weedhounds.sandbox.http import Reply, Request, json_reply, validated, whole
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.strains import RegistryRow, RegistryValues

RESOURCE = "/resource/egd5-wb6r.json"
UPDATED_S = 1_743_638_400.0
"""``Last-Modified``: the registry says when it was published last, not when a row changed."""

_COLUMNS = {
    "myrcene": "b_myrcene", "caryophyllene": "b_caryophyllene", "limonene": "limonene", "pinene_alpha": "a_pinene",
    "pinene_beta": "b_pinene", "linalool": "linalool_lin", "humulene": "humulene_hum", "terpinolene": "terpinolene",
    "ocimene": "ocimene",
}  # fmt: skip
_TEXT = r"'((?:[^']|'')*)'"
_CONDITION = re.compile(rf"(upper\(\s*)?([a-z_]+)\s*\)?\s*(=|like)\s*{_TEXT}", re.I)
_AND = re.compile(r"\s+and\s+", re.I)
_FILTERED = ("brand_name", "registration_number", "dosage_form", "producer", "market")
Matches = Callable[[RegistryRow], bool]


class SocrataCt:
    """The origin ``socrata_ct``."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def answer(self, request: Request, now: float) -> Reply:
        """Return the rows asked for; see :class:`weedhounds.sandbox.http.Origin`."""
        if request.path != RESOURCE or request.method != "GET":
            return json_reply({"code": "dataset.missing", "error": True, "message": "Not found"}, status=404)
        try:
            matches = parse_where(request.query.get("$where", ""))
        except ValueError as error:
            problem = {"code": "query.soql.invalid", "error": True, "message": str(error)}
            return json_reply(problem, "labs", status=400)
        limit, offset = whole(request.query.get("$limit"), 1000, most=50_000), whole(request.query.get("$offset"), 0)
        found = [row for row in self._ordered(request.query.get("$order", ":id")) if matches(row)]
        rows = [_row(row, self._market.analysis(row, now)) for row in found[offset : offset + limit]]
        reply = json_reply(rows, "labs", page=offset // max(limit, 1))
        return validated(reply, request, weak=False, changed_s=UPDATED_S)

    def _ordered(self, order: str) -> list[RegistryRow]:
        column, _, direction = order.partition(" ")
        rows = sorted(self._market.registry, key=lambda row: row.number)
        if column == "brand_name":
            rows.sort(key=lambda row: row.brand_name)
        return rows[::-1] if direction.strip().lower() == "desc" else rows


def parse_where(text: str) -> Matches:
    """Return the predicate of a ``$where`` clause; an empty one matches all.

    Raises:
        ValueError: the clause uses more of the language than is served here.
    """
    tests: list[Matches] = []
    at, text = 0, text.strip()
    while at < len(text):
        found = _CONDITION.match(text, at)
        if found is None or found[2].lower() not in _FILTERED:
            raise ValueError(f"Could not parse SoQL query: {text[:200]}")
        tests.append(_condition(found))
        joined = _AND.match(text, found.end())
        if joined is None and found.end() < len(text):
            raise ValueError(f"Could not parse SoQL query: {text[:200]}")
        at = joined.end() if joined else len(text)
    return lambda row: all(test(row) for test in tests)


def _condition(found: re.Match[str]) -> Matches:
    is_upper, column, literal = bool(found[1]), found[2].lower(), found[4].replace("''", "'")
    pattern = re.compile(_like(literal) if found[3].lower() == "like" else re.escape(literal), re.DOTALL)

    def test(row: RegistryRow) -> bool:
        value = _constant(row)[column]
        return pattern.fullmatch(value.upper() if is_upper else value) is not None

    return test


def _like(literal: str) -> str:
    """Return the regular expression of a LIKE pattern; runs of ``%`` count as one."""
    parts = re.split(r"%+", literal)
    return ".*".join(re.escape(part).replace("_", ".") for part in parts)


def _constant(row: RegistryRow) -> dict[str, str]:
    return {
        "brand_name": row.brand_name,
        "dosage_form": row.dosage_form,
        "producer": row.producer,
        "approval_date": row.approved,
        "registration_number": row.registration,
        "market": row.market,
    }


def _row(row: RegistryRow, values: RegistryValues) -> dict[str, object]:
    document = "https://elicense.ct.example/Lookup/ViewPublicLookupDocument.aspx?DocumentIdnt="
    terpenes = {_COLUMNS[name]: _text(value) for name, value in values.terpenes}
    return {
        **_constant(row),
        "product_image": {"url": f"{document}{row.number * 3}", "description": "Photo"},
        "label_image": {"url": f"{document}{row.number * 3 + 1}", "description": "Label"},
        "lab_analysis": {"url": f"{document}{values.report}", "description": "Report"},
        "tetrahydrocannabinol_thc": _text(values.thc),
        "tetrahydrocannabinol_acid_thca": _text(values.thca),
        "cannabidiols_cbd": _text(values.cbd),
        "cannabidiol_acid_cbda": _text(values.cbda),
        **terpenes,
    }


def _text(value: float) -> str:
    return f"{value:g}" if value >= 0.1 else "<0.1"
