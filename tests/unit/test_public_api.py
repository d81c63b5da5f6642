"""What users import stays where it is."""

from __future__ import annotations

import inspect

import pytest

import weedhounds


def test_the_public_names_are_these() -> None:
    assert sorted(weedhounds.__all__) == ["Node", "Settings", "__version__"]
    assert all(getattr(weedhounds, name) is not None for name in weedhounds.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nope"):
        _ = weedhounds.Nope


def test_the_node_offers_what_the_docs_promise() -> None:
    offered = {name for name, _ in inspect.getmembers(weedhounds.Node) if not name.startswith("_")}
    assert offered == {
        "dispensaries",
        "get",
        "hunt",
        "import_files",
        "insight",
        "is_ready",
        "price_history",
        "purge",
        "record",
        "stats",
        "strain",
    }
