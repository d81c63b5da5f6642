"""From flags to settings, and where each value in force came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from weedhounds.config import CONFIG_FILE, ENV_PREFIX, Settings, load_settings
from weedhounds.errors import ConfigError

Level = Literal["debug", "info", "warning", "error"]
ValueSource = Literal["default", "file", "environment", "argument"]

SECRET = "***"


class Given:
    """What a command line gave for settings.

    Args:
        file: ``--config``.
        arguments: nested as the settings are; ``None`` where a flag was left out.
    """

    def __init__(self, file: Path | None = None, **arguments: Any) -> None:
        self.file = file
        self.arguments = arguments

    def load(self) -> Settings:
        """Return the settings in force.

        Raises:
            ConfigError: as :func:`weedhounds.config.load_settings`.
        """
        return load_settings(self.file, **self.arguments)

    def source_of(self, name: str) -> ValueSource:
        """Tell where the value of a setting (dotted name) comes from."""
        levels = name.split(".")
        if _has(self.arguments, levels):
            return "argument"
        variable = ENV_PREFIX + "__".join(levels)
        if any(name.upper() == variable.upper() for name in os.environ):
            return "environment"
        return "file" if _has(self._file_layer(), levels) else "default"

    def _file_layer(self) -> Mapping[str, Any]:
        path = self.file or Path(CONFIG_FILE)
        if self.file is None and not path.is_file():
            return {}
        try:
            return tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"cannot read settings file {path}: {error}") from error


def _has(layer: Mapping[str, Any], levels: list[str]) -> bool:
    at: Any = layer
    for level in levels:
        if not isinstance(at, Mapping) or at.get(level) is None:
            return False
        at = at[level]
    return True


def start_logging(given: Given, settings: Settings, *, usual: Level) -> None:
    """Log to stderr as the settings say; ``usual`` is the level where nobody chose one."""
    from weedhounds.telemetry import configure_logging

    level = usual if given.source_of("log.level") == "default" else settings.log.level
    configure_logging(level, settings.log.format)


def flat_settings(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Return ``(dotted name, value)`` of every setting, secrets masked."""
    for name in type(settings).model_fields:
        yield from _flat(getattr(settings, name), f"{prefix}{name}")


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        yield from flat_settings(value, f"{name}.")
    elif isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}")
    else:
        yield name, masked(name, value)


def masked(name: str, value: object) -> object:
    """Return the value to show: no key of an origin, no password in an address."""
    if name.startswith("origins.") and ".keys." in name:
        return SECRET
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str) and "://" in value and "@" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://{SECRET}@{rest.rpartition('@')[2]}"
    return value
