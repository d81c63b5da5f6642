"""``database.url`` names a file or a database on a server; what it cannot mean is refused without its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from weedhounds.cache.address import MysqlAddress, SqliteAddress, parse_address
from weedhounds.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///a/b.sqlite3", "a/b.sqlite3"), ("sqlite:////var/x", "/var/x"), ("sqlite:///~x y", "~x y")],
)
def test_a_sqlite_address_is_a_path(url: str, path: str) -> None:
    assert parse_address(url) == SqliteAddress(Path(path))
    assert parse_address(url).place == path


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mysql://u:p@h/d", MysqlAddress("h", 3306, "u", "p", "d")),
        ("mariadb://u@h:3307/d", MysqlAddress("h", 3307, "u", "", "d")),
        ("mysql://a%40b:p%2F%3A%40w@[::1]:1/d%20e", MysqlAddress("::1", 1, "a@b", "p/:@w", "d e")),
        ("mysql://u:p@/d?socket=/run/x.sock", MysqlAddress("localhost", 3306, "u", "p", "d", "/run/x.sock")),
    ],
)
def test_a_server_is_named_by_its_parts(url: str, address: MysqlAddress) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://u:hidden@h/d", "neither sqlite"),
        ("", "neither sqlite"),
        ("sqlite://x", "sqlite:///PATH"),
        ("sqlite:///", "sqlite:///PATH"),
        ("mysql://u:hidden@/d", "no host"),
        ("mysql://h/d", "no user"),
        ("mysql://u:hidden@h", "no database"),
        ("mysql://u:hidden@h/a/b", "not the name of a database"),
        ("mysql://u:hidden@h/a`b", "not the name of a database"),
        ("mysql://u:hidden@h:99999/d", "Port out of range"),
        ("mysql://u:hidden@h/d?ssl=1", "unknown option 'ssl'"),
    ],
)
def test_what_cannot_be_used_is_said_without_the_password(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_address(url)
    assert str(caught.value).startswith("setting database.url: ")
    assert "hidden" not in str(caught.value)


def test_the_place_of_a_server_shows_no_user_and_no_password() -> None:
    assert parse_address("mysql://u:hidden@h:5/d").place == "mysql://h:5/d"
    assert parse_address("mysql://u:hidden@/d?socket=/s").place == "mysql:///s/d"
