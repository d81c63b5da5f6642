from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_lines import Run
from weedhounds.cli.settings import Given, flat_settings
from weedhounds.config import load_settings

TOML = """
data_dir = "/tmp/from-file"
[server]
port = 9000
[origins.jane]
keys = { search_key = "s3cret" }
"""


def shown(cli: Run, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return the settings that ``config show --json`` prints, by name."""
    ran = cli("config", "show", "--json", *arguments)
    assert (ran.code, ran.err) == (0, "")
    return {each["name"]: each for each in json.loads(ran.out)["settings"]}


def test_each_value_tells_where_it_came_from(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("weedhounds.toml").write_text(TOML)
    monkeypatch.setenv("WEEDHOUNDS_SERVER__HOST", "localhost")
    settings = shown(cli, "--data-dir", "here")
    told = {name: (settings[name]["value"], settings[name]["source"]) for name in settings}
    assert told["server.port"] == (9000, "file")
    assert told["server.host"] == ("localhost", "environment")
    assert told["data_dir"] == ("here", "argument")
    assert told["hunt.limit"] == (200, "default")


def test_the_stronger_layer_is_named(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("weedhounds.toml").write_text(TOML)
    assert shown(cli)["server.port"] == {"name": "server.port", "value": 9000, "source": "file"}
    monkeypatch.setenv("weedhounds_server__port".upper(), "9001")
    assert shown(cli)["server.port"] == {"name": "server.port", "value": 9001, "source": "environment"}


def test_secrets_are_masked_everywhere(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("weedhounds.toml").write_text(TOML)
    monkeypatch.setenv("WEEDHOUNDS_DATABASE__URL", "mysql://user:hunter2@host/db")
    for arguments in (("--json",), ()):
        out = cli("config", "show", *arguments).out
        assert "s3cret" not in out
        assert "hunter2" not in out
    settings = shown(cli)
    assert settings["origins.jane.keys.search_key"]["value"] == "***"
    assert settings["database.url"]["value"] == "mysql://***@host/db"


def test_every_setting_is_shown(cli: Run) -> None:
    assert set(shown(cli)) == {name for name, _ in flat_settings(load_settings())}
    assert "server.port" in cli("config", "show").out


def test_only_what_was_changed_is_shown_where_asked(cli: Run) -> None:
    assert list(shown(cli, "--changed", "--data-dir", "here")) == ["data_dir"]


def test_settings_that_can_work_are_told_so(cli: Run) -> None:
    ran = cli("config", "check", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert {each["what"]: each["ok"] for each in json.loads(ran.out)["checks"]} == {
        "origins": True, "lifetimes": True, "data folder": True, "address": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        ("nonsense = 1", "setting nonsense: unknown setting"),
        ("[server]\nport = 70000", "setting server.port:"),
        ("[server]\nhost = '0.0.0.0'", "setting server.host: 0.0.0.0 is reached from other machines"),
        ("[origins.nobody]\nenabled = true", "unknown origin"),
        ("data_dir = '/dev/null/x'", "/dev/null is no folder"),
        ("not toml", "cannot read settings file weedhounds.toml"),
    ],
)
def test_settings_that_cannot_work_are_named(cli: Run, toml: str, why: str) -> None:
    Path("weedhounds.toml").write_text(toml)
    ran = cli("config", "check")
    assert ran.code == 2
    assert why in ran.err
    assert ran.err.count("\n") == 1


def test_a_flag_that_was_left_out_is_no_argument() -> None:
    given = Given(None, data_dir=None, server={"host": None, "port": 1})
    assert given.source_of("data_dir") == "default"
    assert given.source_of("server.host") == "default"
    assert given.source_of("server.port") == "argument"
