"""Python and settings shown in the docs are true: they compile, their names exist, they load, they run."""

from __future__ import annotations

import ast
import asyncio
import gzip
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from docpages import ROOT, pages

from weedhounds import Node, sources
from weedhounds.bulk import ImportOptions
from weedhounds.config import load_settings
from weedhounds.origins import live_origins
from weedhounds.query.answer import FoundOffer, HuntAnswer, NearbyShop, OfferSource, RecordAnswer, StrainAnswer
from weedhounds.sources.shops_csv import read_shops

PYTHON = [
    (f"{each.name}#{n}", code)
    for each in pages()
    for n, (language, code) in enumerate(each.blocks)
    if language == "python"
]
TOML = [
    (f"{each.name}#{n}", code)
    for each in pages()
    for n, (language, code) in enumerate(each.blocks)
    if language == "toml"
]
SHAPES: dict[str, Any] = {
    "node": Node,
    "answer": HuntAnswer,
    "offer": FoundOffer,
    "record": RecordAnswer,
    "strain": StrainAnswer,
    "near": NearbyShop,
    "claim": OfferSource,
}
"""Variables of the examples, by the convention of the docs, and what they hold."""


def _parse(code: str) -> ast.Module:
    return ast.parse(code, mode="exec")


def _chains(tree: ast.AST) -> Iterator[list[str]]:
    """Yield the dotted names of an example that begin at one of the known variables."""
    for node in ast.walk(tree):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in SHAPES and parts:
            yield [node.id, *parts]


def _follow(chain: list[str]) -> None:
    """Walk a dotted name along the fields of the structs; raise where there is none."""
    shape: Any = SHAPES[chain[0]]
    for part in chain[1:]:
        if shape is Node:
            assert hasattr(Node, part) or part in ("settings", "clock"), ".".join(chain)
            return
        fields = {f.name: f.type for f in msgspec.structs.fields(shape)}
        assert part in fields, ".".join(chain)
        options = [
            o
            for o in getattr(fields[part], "__args__", (fields[part],))
            if isinstance(o, type) and issubclass(o, msgspec.Struct)
        ]
        if not options:
            return
        shape = options[0]


@pytest.mark.parametrize("code", [code for _, code in PYTHON], ids=[name for name, _ in PYTHON])
def test_a_python_example_compiles_and_its_names_exist(code: str) -> None:
    compile(code, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    tree = _parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("weedhounds"):
            module = __import__(node.module or "", fromlist=["_"])
            assert [a.name for a in node.names if not hasattr(module, a.name)] == []
    for chain in _chains(tree):
        _follow(chain)


@pytest.mark.parametrize("code", [code for _, code in PYTHON], ids=[name for name, _ in PYTHON])
def test_a_call_of_the_node_in_an_example_has_the_arguments_that_it_takes(code: str) -> None:
    for node in ast.walk(_parse(code)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if not isinstance(node.func.value, ast.Name) or node.func.value.id != "node":
            continue
        named = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        inspect.signature(getattr(Node, node.func.attr)).bind(None, *node.args, **named)


ITEM = {
    "id": "7",
    "type": "menu_item",
    "attributes": {
        "name": "Blue Dream",
        "category_name": "Flower",
        "license_type": "recreational",
        "prices": {"price_eighth": 35.0, "price_ounce": 200.0},
    },
    "relationships": {"listing": {"data": {"id": "12345", "type": "listing"}}},
}
"""An invented item in the layout of a recorded answer."""
SHOP = "file,listing_id,slug,name,city,state,lat,lon,position\nmenu.json,12345,example,Example Shop,Denver,CO,39.74,-104.98,exact\n"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with a shop in Denver imported and no origin that could be asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEEDHOUNDS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WEEDHOUNDS_FETCH__POOL_WORKERS", "0")
    for origin in sources.ORIGINS:
        monkeypatch.setenv(f"WEEDHOUNDS_ORIGINS__{origin.upper()}__ENABLED", "false")
    (tmp_path / "menus").mkdir()
    file = tmp_path / "menus" / "menu.json.gz"
    file.write_bytes(gzip.compress(msgspec.json.encode({"meta": {"total": 1}, "data": [ITEM]})))
    table = tmp_path / "shops.csv"
    table.write_text(SHOP)
    asyncio.run(_import(file, table))
    return tmp_path


async def _import(file: Path, table: Path) -> None:
    async with Node() as node:
        report = await node.import_files("weedmaps", [file], ImportOptions(shops=read_shops(table)))
    assert (report.offers, report.not_placed, report.failed) == (2, [], [])


@pytest.mark.parametrize("code", [code for _, code in PYTHON], ids=[name for name, _ in PYTHON])
def test_a_python_example_runs(code: str, offline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = compile(code, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(run, {"__name__": "__main__"})
    if inspect.iscoroutine(result):
        asyncio.run(result)
    assert "print(" not in code or capsys.readouterr().out.strip()


@pytest.mark.parametrize("code", [code for _, code in TOML], ids=[name for name, _ in TOML])
def test_a_settings_file_loads_and_names_only_what_the_sources_know(code: str, tmp_path: Path) -> None:
    file = tmp_path / "weedhounds.toml"
    file.write_text(code)
    settings = load_settings(file)
    live_origins(settings)
    for origin, changed in settings.origins.items():
        text = "".join(p.read_text() for p in (ROOT / "src" / "weedhounds" / "sources").glob(f"{origin}*.py"))
        unknown = [name for name in (*changed.options, *changed.keys) if f'"{name}"' not in text]
        assert unknown == [], origin


def test_the_docs_show_python_and_settings() -> None:
    shown = {re.sub(r"#\d+", "", name) for name, _ in (*PYTHON, *TOML)}
    assert {"README.md", "docs/how-to/use-from-python.md", "docs/live.md"} <= shown
