"""The setting ``database.url``, taken apart. Pure."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from weedhounds.errors import ConfigError

DEFAULT_PORT = 3306
_MYSQL = frozenset({"mysql", "mariadb"})


class SqliteAddress(msgspec.Struct, frozen=True):
    """A file."""

    path: Path

    @property
    def place(self) -> str:
        """Return the file in words."""
        return str(self.path)


class MysqlAddress(msgspec.Struct, frozen=True):
    """A database on a MySQL or MariaDB server.

    Args:
        socket: the server's Unix socket, instead of host and port.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    socket: str | None = None

    @property
    def place(self) -> str:
        """Return server and database in words; no password."""
        return f"mysql://{self.socket or f'{self.host}:{self.port}'}/{self.database}"

    def __repr__(self) -> str:
        return f"MysqlAddress({self.place})"


Address = SqliteAddress | MysqlAddress


def parse_address(url: str) -> Address:
    """Return the address that ``url`` spells.

    ``sqlite:///PATH`` (relative to the working folder, or with a fourth slash absolute), or
    ``mysql://USER:PASSWORD@HOST[:PORT]/DATABASE[?socket=PATH]`` (``mariadb://`` alike); user,
    password and database percent-encoded.

    Raises:
        ConfigError: neither; the message shows no password.
    """
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        path = url.removeprefix("sqlite:///")
        if path == url or not path:
            raise ConfigError("setting database.url: a SQLite address is sqlite:///PATH")
        return SqliteAddress(Path(path))
    if scheme in _MYSQL:
        return _mysql(url)
    raise ConfigError(
        f"setting database.url: neither sqlite:///PATH nor mysql://USER:PASSWORD@HOST/DATABASE (begins {scheme!r:.20})"
    )


def _mysql(url: str) -> MysqlAddress:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigError(f"setting database.url: {error}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    socket = options.pop("socket", None)
    database = unquote(parts.path.strip("/"))
    missing = _missing(parts, database, socket)
    if missing is not None:
        raise ConfigError(f"setting database.url: {missing} (mysql://USER:PASSWORD@HOST[:PORT]/DATABASE)")
    if options or parts.fragment:
        raise ConfigError(f"setting database.url: unknown option {next(iter(options), parts.fragment)!r:.40}")
    return MysqlAddress(
        host=parts.hostname or "localhost",
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=database,
        socket=socket,
    )


def _missing(parts: SplitResult, database: str, socket: str | None) -> str | None:
    if not parts.hostname and not socket:
        return "no host"
    if not parts.username:
        return "no user"
    if not database or "/" in database or "`" in database or len(database) > 64:
        return "no database" if not database else "not the name of a database"
    return None
