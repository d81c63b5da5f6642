"""Imports point one way: from later layers to earlier ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import weedhounds

ROOT = Path(weedhounds.__file__).parent
LAYERS = (
    "errors", "clock", "collecting", "config", "telemetry", "breaker", "model", "policy", "sources", "codec", "ttl", "cache", "strategies", "dht",
    "pages", "workers", "flight", "learning", "learning_file", "loader", "reads", "readthrough", "origins", "bulk", "query", "hits", "warming", "node",
    "api", "dashboard", "sandbox", "perf", "sim", "cli",
)  # fmt: skip
"""Earlier may not import later. The command line is the outermost: it starts all the others."""


def _layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "weedhounds":
                yield from ((node.lineno, f"weedhounds.{alias.name}") for alias in node.names)
            yield node.lineno, node.module


def _wrong(path: Path) -> list[str]:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own in ("__init__", "__main__", "py"):
        return []
    rank = LAYERS.index(own)
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for line, module in _imports(path)
        if module.startswith("weedhounds.") and _layer(module) in LAYERS and LAYERS.index(_layer(module)) > rank
    ]


def test_every_module_belongs_to_a_layer() -> None:
    names = {p.relative_to(ROOT).parts[0].removesuffix(".py") for p in ROOT.rglob("*.py")}
    assert names - {"__init__", "__main__"} <= set(LAYERS)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_earlier_layers_only(path: Path) -> None:
    assert _wrong(path) == []


def test_only_the_clock_reads_time() -> None:
    readers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in ROOT.rglob("*.py")
        if path.name != "clock.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("time", "monotonic", "time_ns", "monotonic_ns", "perf_counter", "now", "utcnow")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("time", "datetime")
    ]
    assert readers == []
