"""Addresses of the HTTP API that the docs show are routes of it, with parameters that they take."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from docpages import Page, pages

from weedhounds.api.app import routes_described
from weedhounds.api.description import describe

PAGES_OF_THEIR_OWN = ("/docs", "/openapi.json")
SPAN = re.compile(r"(?:GET )?(/(?:v1|docs|openapi\.json|healthz|readyz)\b[^\s`]*)")
PATHS = describe(routes_described())["paths"]
LOCAL = re.compile(r"127\.0\.0\.1:8420(/[^'\"\s]*)")


def _shown(each: Page) -> set[tuple[str, str]]:
    """Return the addresses of code spans and code blocks; spans of the sandbox's page are its origins' own."""
    spans = (SPAN.fullmatch(span) for span in each.spans if each.name != "docs/sandbox.md")
    in_blocks = (url for _, code in each.blocks for url in LOCAL.findall(code))
    return {(each.name, address) for address in (*(m[1] for m in spans if m), *in_blocks)}


SHOWN = sorted(set().union(*map(_shown, pages())))


def wrong_in(address: str) -> str | None:
    """Return what the API would not know of an address; ``None`` where it knows all."""
    parts = urlsplit(address)
    path = unquote(parts.path)
    if path in PAGES_OF_THEIR_OWN:
        return None
    templates = [t for t in PATHS if re.fullmatch(re.sub(r"\\\{[^}]+\\\}", ".+", re.escape(t)), path)]
    if not templates:
        return f"no route {path}"
    known = {p["name"] for t in templates for p in PATHS[t]["get"].get("parameters", ())}
    unknown = set(parse_qs(parts.query, keep_blank_values=True)) - known
    return f"no parameter {', '.join(sorted(unknown))}" if unknown else None


def test_the_check_itself_finds_what_is_wrong() -> None:
    assert wrong_in("/v1/hunt?q=x&near=y") is None
    assert wrong_in("/v1/haunt") == "no route /v1/haunt"
    assert wrong_in("/v1/hunt?nearby=y") == "no parameter nearby"


@pytest.mark.parametrize(("where", "address"), SHOWN)
def test_every_address_shown_is_a_route(where: str, address: str) -> None:
    assert wrong_in(address) is None, where
