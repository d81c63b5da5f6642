"""``weedhounds db`` and ``cache purge``: what they print, what they refuse, and their exit codes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import typer

from command_lines import Run
from sample_entries import menu_entry, menu_key
from weedhounds.cache.sql import SqliteTier
from weedhounds.cli.purge import scopes_of
from weedhounds.clock import ManualClock
from weedhounds.errors import BadInput


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "node" / "weedhounds.sqlite3"


def filled(path: Path) -> None:
    asyncio.run(_fill(path))


async def _fill(path: Path) -> None:
    tier = SqliteTier(path, clock=ManualClock())
    await tier.open()
    await tier.put_many([menu_entry(shop) for shop in range(3)])
    await tier.close()


def test_init_makes_the_tables_and_may_be_repeated(cli: Run, file: Path) -> None:
    for _ in range(2):
        ran = cli("db", "init", "--data-dir", str(file.parent))
        assert (ran.code, ran.out, ran.err) == (0, f"{file}: schema version 2\n", "")
    ran = cli("db", "init", "--data-dir", str(file.parent), "--json")
    assert json.loads(ran.out) == {"place": str(file), "version": 2}


def test_check_of_what_is_not_there_says_what_to_do(cli: Run, file: Path) -> None:
    ran = cli("db", "check", "--data-dir", str(file.parent))
    assert ran.code == 1
    assert "weedhounds db init makes it" in ran.out
    assert ran.err.count("\n") == 1
    assert not file.exists()


def test_check_of_a_good_file_passes(cli: Run, file: Path) -> None:
    cli("db", "init", "--data-dir", str(file.parent))
    ran = cli("db", "check", "--data-dir", str(file.parent))
    assert (ran.code, ran.err) == (0, "")
    assert all(line.startswith("ok ") for line in ran.out.splitlines())
    checks = json.loads(cli("db", "check", "--data-dir", str(file.parent), "--json").out)["checks"]
    assert {check["what"] for check in checks} >= {"file", "schema version", "schema", "writing", "pages", "counts"}


def test_check_tells_how_much_is_wrong(cli: Run, file: Path) -> None:
    cli("db", "init", "--data-dir", str(file.parent))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE uses")
        connection.execute("DROP INDEX identities_by_key")
    ran = cli("db", "check", "--data-dir", str(file.parent))
    assert ran.code == 1
    assert ran.out.count("bad  schema: missing or different") == 2
    assert "(and 1 more)" in ran.err


def test_an_address_that_is_none_is_bad_input(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEEDHOUNDS_DATABASE__URL", "oracle://me:s3cret@host/db")
    for command in ("init", "check"):
        ran = cli("db", command)
        assert ran.code == 2
        assert "setting database.url" in ran.err
        assert "s3cret" not in ran.err + ran.out


def test_a_server_that_is_not_there_fails_in_one_line(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEEDHOUNDS_DATABASE__URL", "mysql://me:s3cret@127.0.0.1:1/db")
    for command in ("init", "check"):
        ran = cli("db", command)
        assert ran.code == 1
        assert "mysql://127.0.0.1:1/db cannot be reached" in ran.err
        assert ran.err.count("\n") == 1
        assert "s3cret" not in ran.err + ran.out


def test_purging_keys_asks_nobody(cli: Run, file: Path) -> None:
    filled(file)
    ran = cli("cache", "purge", str(menu_key(1)), str(menu_key(9)), "--data-dir", str(file.parent))
    assert (ran.code, ran.out, ran.err) == (0, "1 entries removed\n", "")


def test_purging_more_needs_a_yes_where_nobody_can_be_asked(cli: Run, file: Path) -> None:
    filled(file)
    folder = ("--data-dir", str(file.parent))
    ran = cli("cache", "purge", "--origin", "weedmaps", "--data-type", "promotions", *folder)
    assert ran.code == 2
    assert "purging all of weedmaps, all of promotions needs --yes" in ran.err
    ran = cli("cache", "purge", "--origin", "weedmaps", "--yes", "--json", *folder)
    assert (ran.code, json.loads(ran.out)) == (0, {"removed": 3})
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT scope FROM tombstones").fetchall() == [("origin:weedmaps",)]


def test_a_purge_makes_no_database(cli: Run, file: Path) -> None:
    ran = cli("cache", "purge", "--all", "--yes", "--data-dir", str(file.parent))
    assert ran.code == 2
    assert "there is no database" in ran.err
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to purge"),
        (("no key",), "not a record key"),
        (("--data-type", "gossip", "--yes"), "no data type 'gossip'"),
        (("dispensary_menu:weedmaps:" + "x" * 4096,), "at most 1024 bytes"),
    ],
)
def test_a_purge_that_means_nothing_is_refused(cli: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = cli("cache", "purge", *arguments)
    assert ran.code == 2
    assert said in ran.err


def test_very_many_keys_are_refused() -> None:
    with pytest.raises(BadInput, match="at most 1000 keys"):
        scopes_of([str(menu_key(n)) for n in range(1001)], [], [], everything=False)


def test_a_terminal_is_asked(cli: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("db", "init", "--data-dir", str(file.parent))
    asked: list[str] = []
    monkeypatch.setattr("weedhounds.cli.purge._is_terminal", lambda: True)
    for answer, code in ((False, 2), (True, 0)):

        def confirm(text: str, *, err: bool, said: bool = answer) -> bool:
            assert err
            asked.append(text)
            return said

        monkeypatch.setattr(typer, "confirm", confirm)
        assert cli("cache", "purge", "--all", "--data-dir", str(file.parent)).code == code
    assert asked == ["Purge everything?"] * 2
