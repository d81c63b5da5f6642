"""Sources: our clients of the origins. One file per origin; no vendor is named outside its file."""

from __future__ import annotations

from importlib import import_module

from weedhounds.errors import BadInput
from weedhounds.sources.base import Kind, Parsed, Source

_SOURCES = {
    "dutchie": ("weedhounds.sources.dutchie", "DutchieSource"),
    "jane": ("weedhounds.sources.jane", "JaneSource"),
    "weedmaps": ("weedhounds.sources.weedmaps", "WeedmapsSource"),
    "leafly": ("weedhounds.sources.leafly", "LeaflySource"),
    "socrata_ct": ("weedhounds.sources.socrata_ct", "SocrataCtSource"),
}

ORIGINS: tuple[str, ...] = tuple(_SOURCES)


def source_class(origin: str) -> type[Source]:
    """Return the source of ``origin``, importing it on first use.

    Raises:
        BadInput: no such origin.
    """
    try:
        module, name = _SOURCES[origin]
    except KeyError:
        raise BadInput(f"unknown origin {origin!r} (known: {', '.join(ORIGINS)})", origin=origin) from None
    found: type[Source] = getattr(import_module(module), name)
    return found


def parse(origin: str, body: bytes, kind: Kind | None = None, currency: str = "USD") -> Parsed:
    """Parse one answer of ``origin``; see :meth:`weedhounds.sources.base.Source.parse`."""
    return source_class(origin).parse(body, kind, currency=currency)
