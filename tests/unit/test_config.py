"""Settings: their order of strength, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from weedhounds.config import load_settings
from weedhounds.errors import ConfigError


def test_arguments_beat_the_environment_and_that_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weedhounds.toml"
    file.write_text("[server]\nport = 1\nhost = '::1'\n[hunt]\nradius_km = 7\n")
    monkeypatch.setenv("WEEDHOUNDS_SERVER__PORT", "2")
    monkeypatch.setenv("WEEDHOUNDS_HUNT__RADIUS_KM", "8")
    settings = load_settings(file, server={"port": 3, "host": None})
    assert (settings.server.port, settings.server.host, settings.hunt.radius_km) == (3, "::1", 8)


def test_no_setting_is_the_variable_that_shows_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEEDHOUNDS_DEBUG", "1")
    assert load_settings().server.port == 8420


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEEDHOUNDS_NOPE", "1", "setting nope: unknown setting"),
        ("WEEDHOUNDS_SERVER__NOPE", "1", "setting server.nope: unknown setting"),
        ("WEEDHOUNDS_SERVER__PORT", "x", "setting server.port"),
        ("WEEDHOUNDS_SERVER__PORT", "70000", "setting server.port"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        load_settings()
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_a_value_and_a_level_below_it_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEEDHOUNDS_SERVER", "x")
    monkeypatch.setenv("WEEDHOUNDS_SERVER__PORT", "1")
    with pytest.raises(ConfigError, match="WEEDHOUNDS_SERVER__PORT"):
        load_settings()


@pytest.mark.parametrize("text", ["not toml", "[server]\nport = 'x'\n", "[nope]\na = 1\n"])
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "weedhounds.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_settings(file)


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read settings file"):
        load_settings(tmp_path / "absent.toml")


def test_the_retention_of_history_is_by_data_type_and_in_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings().history.retention_s == 90 * 86_400
    assert load_settings(history={"retention_days": {"product_pricing": 2}}).history.retention_s == 2 * 86_400
    for wrong in ({"menus": 3}, {"product_pricing": 0}, {"product_pricing": float("inf")}):
        with pytest.raises(ConfigError, match=r"history\.retention_days"):
            load_settings(history={"retention_days": wrong})
