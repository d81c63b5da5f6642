"""A private MariaDB server: its own data folder, socket, port and user; started by whoever needs it, and ended.

Debian's package ``mariadb-server`` brings the programs; nothing is installed as a service, and no
server that already runs is touched. The server process dies with the thread that started it, however
that ends: start it from the main thread.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weedhounds.cache.ddl import head_statements
from weedhounds.cache.work import MYSQL

START_S = 60.0
STOP_S = 30.0
USER, PASSWORD = "hound", "p@ss:w/rd"
"""Whoever connects; the password needs quoting in an address, as real ones do."""
_UNPRIVILEGED = ("mysql", "nobody")
"""Whom a server runs as when root starts the tests: it refuses to run as root."""
_PR_SET_PDEATHSIG = 1
_OPTIONS = (
    "--no-defaults", "--skip-log-bin", "--skip-name-resolve", "--performance-schema=OFF", "--bind-address=127.0.0.1",
    "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M", "--innodb-flush-log-at-trx-commit=2",
    "--max-connections=100", "--character-set-server=latin1", "--skip-networking=0",
)  # fmt: skip
"""Another character set than ours on purpose: what is stored must not depend on it."""


class MariaDb:
    """A server that runs until :meth:`stop`.

    Args:
        folder: of data, socket and log; its own.
        options: further options of ``mariadbd``, for example ``--default-time-zone=+05:45``.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.port = _free_port()
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._has_tables = False

    def url(
        self, database: str, *, user: str = USER, password: str = "p%40ss%3Aw%2Frd", port: int | None = None
    ) -> str:
        """Return the address of a database as the setting ``database.url`` takes it."""
        return f"mysql://{user}:{password}@127.0.0.1:{port or self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        self._databases += 1
        name = f"weedhounds_{os.getpid()}_{self._databases}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def empty_database(self) -> str:
        """Return the address of a database whose tables are there and empty: the same one again, as making them is slow."""
        name = f"weedhounds_{os.getpid()}"
        if not self._has_tables:
            self.sql(f"CREATE DATABASE {name}")
            self.sql("".join(f"{statement};" for statement in head_statements(MYSQL)), name)
            self._has_tables = True
        tables = [line for line in self.sql("SHOW TABLES", name).split() if line not in ("totals", "schema_version")]
        emptied = "".join(f"DELETE FROM {table};" for table in tables)
        self.sql(f"{emptied} UPDATE totals SET `rows` = 0, bytes = 0", name)
        return self.url(name)

    def sql(self, statements: str, database: str = "") -> str:
        """Run statements as the server's own root; return what they print, without headings."""
        command = [
            "mariadb",
            "--no-defaults",
            f"--socket={self.socket}",
            "--user=root",
            "--batch",
            "--skip-column-names",
        ]
        done = subprocess.run(
            [*command, database], input=statements, capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            raise AssertionError(f"{statements[:200]}: {done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start the server, unless it runs, over the data that the folder holds; wait until it answers."""
        if self._process is not None:
            return
        log = (self.folder / "log").open("ab")
        command = [_program("mariadbd"), *_OPTIONS, *self._where(), *self._options]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, **_as_unprivileged())
        log.close()
        until = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(
                    f"MariaDB did not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the server hang: connections stay, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a server that was paused go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def initialise(self) -> None:
        """Make the data folder and the user, and start."""
        install = [_program("mariadb-install-db"), "--no-defaults", "--skip-test-db", *self._where()[:1]]
        install += ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        install += [option for option in self._options if option.startswith("--innodb")]  # they shape the files
        done = subprocess.run(
            install, capture_output=True, text=True, timeout=START_S, check=False, cwd=self.folder, **_as_unprivileged()
        )
        if done.returncode:
            raise AssertionError(f"mariadb-install-db failed: {done.stdout[-1000:]} {done.stderr[-1000:]}")
        self.start()
        self.sql(
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON `weedhounds%`.* TO {USER}@'127.0.0.1'"
        )

    def _where(self) -> list[str]:
        return [
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--port={self.port}",
            f"--tmpdir={self.folder}",
        ]

    def _answers(self) -> bool:
        try:
            self.sql("SELECT 1")
        except AssertionError:
            return False
        return True

    def _end(self, how: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
        self._process = None


@contextmanager
def running_mariadb(options: Sequence[str] = ()) -> Iterator[MariaDb]:
    """Run a new server until the block ends; its folder is removed."""
    folder = Path(tempfile.mkdtemp(prefix="weedhounds-mariadb-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, _unprivileged().pw_uid, _unprivileged().pw_gid)
        server = MariaDb(folder, options)
        try:
            server.initialise()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_installed() -> bool:
    """Tell whether the programs of ``mariadb-server`` are there."""
    return all(_found(name) for name in ("mariadbd", "mariadb-install-db", "mariadb"))


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _program(name: str) -> str:
    found = _found(name)
    if found is None:
        raise AssertionError(f"{name} is not installed: scripts/test-setup installs Debian's mariadb-server")
    return found


def _as_unprivileged() -> dict[str, Any]:
    """Return how to start a server: never as root, and gone when this process is."""
    options: dict[str, Any] = {"preexec_fn": _die_with_parent}
    if os.geteuid() == 0:
        options |= {"user": _unprivileged().pw_uid, "group": _unprivileged().pw_gid, "extra_groups": []}
    return options


def _unprivileged() -> pwd.struct_passwd:
    names = {record.pw_name: record for record in pwd.getpwall()}
    return next(names[name] for name in _UNPRIVILEGED if name in names)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        return int(any_socket.getsockname()[1])
