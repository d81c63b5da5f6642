"""``/openapi.json`` and ``/docs``: the API described by the very structs that it answers with.

The page needs no script and no other host: it is made from the description once, at start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from weedhounds import __version__
from weedhounds.api.problems import problem_types

_SUMMARY = "Every cannabis offer near a place, from every origin, with the source and age of each fact."
_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
td,th{border-top:1px solid #ccc;padding:.2em .8em .2em 0;text-align:left;vertical-align:top}code{font-size:95%}"

Schema = dict[str, Any]


def describe(routes: Sequence[HTTPRouteHandler | Router]) -> Schema:
    """Return the OpenAPI 3.1 description of ``routes``."""
    config = OpenAPIConfig(title="WeedHounds", version=__version__, description=_SUMMARY, use_handler_docstrings=True)
    node = Provide(lambda: None, sync_to_thread=False)  # never asked: this application only describes
    described = Litestar(list(routes), dependencies={"node": node}, openapi_config=config, logging_config=None)
    schema = described.openapi_schema.to_schema()
    for _, _, operation in operations(schema):
        for parameter in operation.get("parameters", ()):
            _drop_null(parameter["schema"])
    return schema


def operations(schema: Schema) -> Iterable[tuple[str, str, Schema]]:
    """Return ``(path, method, operation)`` of every operation described."""
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _drop_null(parameter: Schema) -> None:
    """Say of an optional query parameter what it takes when it is there: left out is not null."""
    kinds = [kind for kind in parameter.pop("oneOf", ()) if kind != {"type": "null"}]
    for kind in kinds:
        parameter.update(kind)


def description_routes(schema: Schema) -> list[HTTPRouteHandler]:
    """Return the routes that serve the description and the page made from it."""
    document = msgspec.json.encode(schema)
    page = docs_page(schema).encode()

    @get("/openapi.json", include_in_schema=False, media_type="application/json", sync_to_thread=False)
    def openapi() -> bytes:
        return document

    @get("/docs", include_in_schema=False, sync_to_thread=False)
    def docs() -> Response[bytes]:
        return Response(page, media_type="text/html", headers={"content-security-policy": _CONTENT_POLICY})

    return [openapi, docs]


def docs_page(schema: Schema) -> str:
    """Return the page: every route with its parameters and answers, and every problem type."""
    routes = "".join(_operation(path, method, op) for path, method, op in operations(schema))
    rows = "".join(
        f'<tr id="{escape(slug)}"><td>{status}</td><td><code>{escape(slug)}</code></td><td>{escape(text)}</td></tr>'
        for slug, status, text in problem_types()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>WeedHounds HTTP API</title>'
        f"<style>{_STYLE}</style><h1>WeedHounds HTTP API {escape(schema['info']['version'])}</h1>"
        f'<p>{escape(_SUMMARY)} Machine-readable: <a href="/openapi.json">/openapi.json</a>.</p>{routes}'
        f"<h2>Problems</h2><p>Errors are documents of RFC 9457; <code>type</code> leads here.</p>"
        f"<table><tr><th>status<th>type<th>meaning</tr>{rows}</table></html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parameters = "".join(_parameter(p) for p in operation.get("parameters", ()))
    statuses = ", ".join(sorted(operation["responses"]))
    return (
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p><b>{escape(operation['summary'])}.</b> {escape(operation.get('description', '').replace('``', ''))}</p>"
        + (f"<table>{parameters}</table>" if parameters else "")
        + f"<p>Answers: {escape(statuses)}</p>"
    )


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    bounds = " ".join(
        f"{word} {schema[name]:g}"
        for name, word in (("minimum", "from"), ("exclusiveMinimum", "over"), ("maximum", "to"))
        if name in schema
    )
    must = "required" if parameter["required"] else "optional"
    kind = " ".join(part for part in (schema.get("type", ""), bounds) if part)
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(kind)}</td><td>{must}</td>"
        f"<td>{escape(parameter.get('description', ''))}</td></tr>"
    )
