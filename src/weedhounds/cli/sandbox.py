"""``weedhounds sandbox``: the simulated market alone."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from weedhounds.cli.options import Json
from weedhounds.errors import ConfigError, WeedHoundsError

if TYPE_CHECKING:
    from weedhounds.sandbox import SandboxConfig

EXAMPLE = "Example: weedhounds sandbox --port 8430 --seed 7 --error-frac 0.05"


def sandbox(
    *,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.")] = 8430,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Chooses the market: same seed, same market.")] = 1,
    latency_ms: Annotated[
        float, typer.Option("--latency-ms", metavar="MS", help="Median latency of a call, 0 for none.")
    ] = 300.0,
    latency_p99_ms: Annotated[
        float | None,
        typer.Option("--latency-p99-ms", metavar="MS", help="99th percentile of it; default: 4 times the median."),
    ] = None,
    error_frac: Annotated[
        float, typer.Option("--error-frac", metavar="F", help="Share of calls, 0 to 1, that answer 503.")
    ] = 0.0,
    speed: Annotated[float, typer.Option("--speed", metavar="X", help="Seconds of market time per real second.")] = 1.0,
    share: Annotated[
        Literal["mixed", "never", "circle", "public"], typer.Option("--share", help="Who may be given its data.")
    ] = "mixed",
    budgets: Annotated[
        Literal["default", "real"], typer.Option("--budgets", help="How hard its origins may be asked.")
    ] = "default",
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="End when standard input ends; for programs that start one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a simulated market behind the origins' real wire formats until Ctrl-C."""
    from weedhounds.sandbox import SandboxConfig

    p99_ms = 4 * latency_ms if latency_p99_ms is None else latency_p99_ms
    config = SandboxConfig(
        host=host,
        port=port,
        seed=seed,
        latency_median_ms=latency_ms,
        latency_p99_ms=p99_ms,
        error_frac=error_frac,
        speed=speed,
        share=share,
        budgets=budgets,
    ).check()
    _run(config, until_eof=until_eof, as_json=as_json)


def _run(config: SandboxConfig, *, until_eof: bool, as_json: bool) -> None:
    """Serve until SIGINT or SIGTERM; either is a normal end."""
    from weedhounds.cli.child import SandboxReady
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.sandbox import run_sandbox

    def announce(url: str) -> None:
        line = to_json(SandboxReady(url, config.seed)) if as_json else f"WeedHounds sandbox ready on {url}\n".encode()
        Sink().write(line)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the server handles it itself
    if until_eof:
        threading.Thread(target=_stop_at_eof, daemon=True).start()
    try:
        run_sandbox(config, announce)
    except KeyboardInterrupt:
        return
    except ConfigError as error:  # checked before: what is left is a port that is taken
        raise WeedHoundsError(str(error)) from error


def _stop_at_eof() -> None:
    """Wait for the end of standard input, then stop this process as SIGTERM does."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
