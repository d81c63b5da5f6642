"""``weedhounds up``: run a node with its HTTP API until told to stop."""

from __future__ import annotations

from typing import Annotated

import typer

from weedhounds.cli.options import START, ConfigFile, DataDir, Json, LogFormat, LogLevel, SandboxAt
from weedhounds.cli.settings import Given
from weedhounds.errors import BadInput

EXAMPLE = "Example: weedhounds up --sandbox --port 8420"


def up(
    *,
    sandbox: SandboxAt = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on (127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on (8420); 0 takes a free one.")
    ] = None,
    public_read: Annotated[
        bool, typer.Option("--public-read", help="Allow reading from other machines without tokens.")
    ] = False,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=0, max=256, help="Job processes (1); 0 parses in a thread."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option("--speed", metavar="X", help="Seconds of market time per second, of a sandbox started here (1)."),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Run a node and its HTTP API until Ctrl-C or SIGTERM; its address is printed once it answers."""
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.serve import serve

    if speed is not None and sandbox != START:
        raise BadInput("--speed is of a sandbox started here: give --sandbox without an address")
    given = Given(
        config,
        data_dir=data_dir,
        server={"host": host, "port": port, "public_read": public_read or None},
        fetch={"pool_workers": workers},
        log={"level": log_level, "format": log_format},
    )
    flags: tuple[str, ...] = ()
    if speed is not None:
        flags = ("--speed", str(speed))
        given.arguments["clock"] = {"source": "sandbox"}
    run_async(serve(given, sandbox, sandbox_flags=flags, as_json=as_json))
