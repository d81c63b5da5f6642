"""The reference of settings has every setting with its default, its range and its meaning, as the code has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from docpages import page
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from weedhounds.config import ENV_PREFIX, OriginSettings, Settings, load_settings

PAGE = page("docs/reference/settings.md")
WORDS = {"ge": "from {:,}", "gt": "over {:,}", "le": "to {:,}", "lt": "below {:,}"}


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the dotted name and the field of every setting."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields(kind, f"{prefix}{name}.")
        elif name == "origins":
            yield from fields(OriginSettings, "origins.ORIGIN.")
        else:
            yield f"{prefix}{name}", field


def documented(name: str, field: FieldInfo) -> str:
    """Return the table row that the page must have for a setting."""
    cells = (f"`{name}`", default_of(name, field), range_of(field), field.description or "")
    return "| " + " | ".join(cells).replace("  |", " |") + " |"


def default_of(name: str, field: FieldInfo) -> str:
    """Return the default as a TOML value; nothing where there is none."""
    if name == "data_dir":
        return "`~/.local/share/weedhounds`"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is None else f"`{json.dumps(value)}`"


def range_of(field: FieldInfo) -> str:
    """Return which values are taken, where not all of a type are."""
    options = [
        get_args(kind) for kind in (field.annotation, *get_args(field.annotation)) if get_origin(kind) is Literal
    ]
    if options:
        return " ".join(f"`{option}`" for option in options[0])
    limits = {name: getattr(m, name) for m in field.metadata for name in WORDS if hasattr(m, name)}
    return " ".join(words.format(limits[name]) for name, words in WORDS.items() if name in limits)


ROWS = [documented(name, field) for name, field in fields(Settings)]


def test_the_table_is_the_codes() -> None:
    told = [line for line in PAGE.text.splitlines() if re.match(r"\| `[a-z]", line) and line.count(" |") == 4]
    assert told == ROWS


@pytest.mark.parametrize(("name", "field"), list(fields(Settings)), ids=lambda v: v if isinstance(v, str) else "")
def test_every_setting_has_a_meaning(name: str, field: FieldInfo) -> None:
    assert field.description


VALUES: dict[str, tuple[str, object]] = {
    "data_dir": ("/x", Path("/x")),
    "source": ("sandbox", "sandbox"),
    "public_read": ("true", True),
    **dict.fromkeys(("enabled", "refresh_ahead"), ("false", False)),
    "level": ("debug", "debug"),
    "format": ("json", "json"),
    "share": ("circle", "circle"),
    "currency": ("CAD", "CAD"),
    "max_bytes": ("2000000", 2_000_000),
    "strategies": ("fixed", "fixed"),
    "read_strategy": ("parallel", "parallel"),
    "hedge_share": ("0.1", 0.1),
    **dict.fromkeys(("memory_bytes", "max_body_bytes"), ("3000000", 3000000)),
    **dict.fromkeys(("sandbox_url", "host", "url", "user_agent", "base_url"), ("x", "x")),
}
"""What each setting is set to that does not take a 3."""
TABLES = {
    "strategies": "dispensary_menu",
    **dict.fromkeys(("lifetimes_s", "least_lifetimes_s", "greatest_lifetimes_s"), "dispensary_menu"),
    "retention_days": "product_pricing",
    "options": "build_id",
    "keys": "search_key",
}
"""The settings that are tables, and a name in each."""


@pytest.mark.parametrize("name", [name for name, _ in fields(Settings)])
def test_the_variable_of_a_setting_is_named_as_the_page_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    last = name.rpartition(".")[2]
    levels = [*name.replace("ORIGIN", "jane").split("."), *([TABLES[last]] if last in TABLES else [])]
    value, read = VALUES.get(last, ("3", "3" if last in ("options", "keys") else 3))
    monkeypatch.setenv(ENV_PREFIX + "__".join(levels).upper(), value)
    at: object = load_settings()
    for level in levels:
        at = at[level] if isinstance(at, dict) else getattr(at, level)
    assert at == read
