"""``weedhounds cache purge``: remove what is held, and keep it out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import ConfigFile, DataDir, Json
from weedhounds.cli.settings import Given
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.cache.purge import Scope
    from weedhounds.config import Settings

EXAMPLE = "Example: weedhounds cache purge --origin leafly --why 'terms changed' --yes"
MAX_KEYS = 1000

Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY...", help="Record keys: data_type:origin:id[:variant].", show_default=False),
]
Origins = Annotated[
    list[str] | None, typer.Option("--origin", metavar="ID", help="Everything made from an origin's data; repeatable.")
]
DataTypes = Annotated[
    list[str] | None, typer.Option("--data-type", metavar="TYPE", help="Everything of a data type; repeatable.")
]
Everything = Annotated[bool, typer.Option("--all", help="Everything.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Noted with the purge.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody can be asked.")]


def purge(
    keys: Keys = None,
    *,
    origin: Origins = None,
    data_type: DataTypes = None,
    everything: Everything = False,
    why: Why = "",
    yes: Yes = False,
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Remove keys, all of an origin or data type, or everything from the database, and keep late writes of it out.

    Nodes that run on the database let go of it in memory within seconds. Prices over time go too.
    """
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json

    scopes = scopes_of(keys or [], origin or [], data_type or [], everything=everything)
    settings = Given(config, data_dir=data_dir).load()
    if any(scope.kind != "key" for scope in scopes) and not yes:
        _ask(scopes)
    removed = run_async(_purge(settings, scopes, why))
    text = f"{removed:,} entries removed\n"
    Sink().write(to_json({"removed": removed}) if as_json else text.encode())


def scopes_of(keys: list[str], origins: list[str], data_types: list[str], *, everything: bool) -> list[Scope]:
    """Return what is to be purged.

    Raises:
        BadInput: nothing, too much at once, or something that there is not.
    """
    from weedhounds.cache.purge import Scope
    from weedhounds.model.datatypes import DataType
    from weedhounds.model.keys import RecordKey

    if not (keys or origins or data_types or everything):
        raise BadInput("nothing to purge: name keys, --origin, --data-type or --all")
    if len(keys) > MAX_KEYS:
        raise BadInput(f"at most {MAX_KEYS} keys at once, not {len(keys)}")
    known = [data_type.value for data_type in DataType]
    for data_type in data_types:
        if data_type not in known:
            raise BadInput(f"no data type {data_type!r:.40} (there are {', '.join(known)})")
    return [
        *(Scope.of_key(RecordKey.parse(key)) for key in dict.fromkeys(keys)),
        *(Scope("origin", origin) for origin in dict.fromkeys(origins)),
        *(Scope("type", data_type) for data_type in dict.fromkeys(data_types)),
        *([Scope("all")] if everything else []),
    ]


def _ask(scopes: list[Scope]) -> None:
    """Ask whoever sits at the terminal.

    Raises:
        BadInput: nobody does, or the answer is no.
    """
    told = ", ".join("everything" if s.kind == "all" else f"all of {s.value}" for s in scopes if s.kind != "key")
    if not _is_terminal():
        raise BadInput(f"purging {told} needs --yes")
    if not typer.confirm(f"Purge {told}?", err=True):
        raise BadInput("nothing was purged")


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


async def _purge(settings: Settings, scopes: list[Scope], why: str) -> int:
    from weedhounds.cache.address import SqliteAddress
    from weedhounds.clock import SystemClock
    from weedhounds.node import database_address, database_for

    address = database_address(settings)
    if isinstance(address, SqliteAddress) and not address.path.is_file():
        raise BadInput(f"there is no database: {address.path}")
    database = database_for(settings, SystemClock())
    try:
        await database.open()
        return await database.purge(scopes, why)
    finally:
        await database.close()
