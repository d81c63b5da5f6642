"""The commands put together, and what becomes of an error: one line on stderr and an exit code.

Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from weedhounds import __version__
from weedhounds.cli import (
    cache,
    cache_warm,
    codec,
    codec_convert,
    codec_train,
    config,
    db,
    get,
    hunt,
    purge,
    sandbox,
    sim,
    sources_import,
    sources_list,
    sources_parse,
    ttl,
    ttl_explain,
    up,
)
from weedhounds.cli.options import SandboxCommand
from weedhounds.cli.text import one_line
from weedhounds.errors import ConfigError, WeedHoundsError

DEBUG_VARIABLE = "WEEDHOUNDS_DEBUG"
"""Set to 1, an unexpected error shows its traceback."""

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


def build_app() -> typer.Typer:
    """Return the command tree."""
    app = _group("The open data node of the cannabis world: one question, every origin, one answer.")
    app.callback()(_root)
    app.command("up", cls=SandboxCommand, epilog=up.EXAMPLE)(up.up)
    app.command("hunt", cls=SandboxCommand, epilog=hunt.EXAMPLE)(hunt.hunt)
    app.command("get", cls=SandboxCommand, epilog=get.EXAMPLE)(get.get)
    app.command("sandbox", epilog=sandbox.EXAMPLE)(sandbox.sandbox)
    sources = _group("The origins: what they give, their answers parsed offline, bulk import.")
    sources.command("list", epilog=sources_list.EXAMPLE)(sources_list.list_sources)
    sources.command("parse", epilog=sources_parse.EXAMPLE)(sources_parse.parse_file)
    sources.command("import", epilog=sources_import.EXAMPLE)(sources_import.import_files)
    app.add_typer(sources, name="sources")
    tiers = _group("The cache tiers: what they hold and do.")
    tiers.command("stats", epilog=cache.STATS_EXAMPLE)(cache.stats)
    tiers.command("warm", cls=SandboxCommand, epilog=cache_warm.EXAMPLE)(cache_warm.warm)
    tiers.command("purge", epilog=purge.EXAMPLE)(purge.purge)
    app.add_typer(tiers, name="cache")
    database = _group("The database of the SQL tier: its tables, and what is wrong with them.")
    database.command("init", epilog=db.INIT_EXAMPLE)(db.init)
    database.command("check", epilog=db.CHECK_EXAMPLE)(db.check)
    app.add_typer(database, name="db")
    formats = _group("Formats and compressions: compared, files encoded and decoded, dictionaries trained.")
    formats.command("bench", epilog=codec.BENCH_EXAMPLE)(codec.bench)
    formats.command("encode", epilog=codec_convert.ENCODE_EXAMPLE)(codec_convert.encode_file)
    formats.command("decode", epilog=codec_convert.DECODE_EXAMPLE)(codec_convert.decode_file)
    formats.command("train", epilog=codec_train.TRAIN_EXAMPLE)(codec_train.train)
    app.add_typer(formats, name="codec")
    lifetimes = _group("Lifetimes: judged on a trace, traces made, and why one is what it is.")
    lifetimes.command("replay", epilog=ttl.REPLAY_EXAMPLE)(ttl.replay)
    lifetimes.command("worlds", epilog=ttl.WORLDS_EXAMPLE)(ttl.worlds)
    lifetimes.command("explain", cls=SandboxCommand, epilog=ttl_explain.EXAMPLE)(ttl_explain.explain)
    app.add_typer(lifetimes, name="ttl")
    simulations = _group("Simulations: a city's week in a minute, without a network.")
    simulations.command("week", epilog=sim.WEEK_EXAMPLE)(sim.week)
    app.add_typer(simulations, name="sim")
    settings = _group("The settings: what is in force, where it came from, whether it can work.")
    settings.command("show", epilog=config.SHOW_EXAMPLE)(config.show)
    settings.command("check", epilog=config.CHECK_EXAMPLE)(config.check)
    app.add_typer(settings, name="config")
    return app


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"weedhounds {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The open data node of the cannabis world: one question, every origin, one answer."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    is_debug = os.environ.pop(DEBUG_VARIABLE, "") not in ("", "0")  # no setting: the settings would refuse its name
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", _ignore)(errors="backslashreplace")
    try:
        return int(build_app()(list(arguments), prog_name="weedhounds", standalone_mode=False) or 0)
    except (Exception, ExceptionGroup) as error:
        return _report(_first(error), is_debug=is_debug)
    except KeyboardInterrupt:
        return INTERRUPTED


def _ignore(**_: object) -> None:
    """Stand in for ``reconfigure`` of streams that have none."""


def _first(error: Exception) -> Exception:
    """Return the first error of a group: concurrent work fails in groups, a person reads one line."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _report(error: Exception, *, is_debug: bool) -> int:
    """Say on stderr what went wrong, in one line; return the exit code."""
    if isinstance(error, typer.TyperException):
        message = error.format_message()
        if message:  # a group without a command has printed its help instead
            _say(message)
        return BAD_INPUT
    if isinstance(error, ConfigError):
        _say(str(error))
        return BAD_INPUT
    if isinstance(error, WeedHoundsError):
        _say(str(error))
        return FAILED
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        _say(f"{where}{error.strerror or error}")
    else:
        _say(f"internal error: {type(error).__name__}: {error}")
    if is_debug:
        traceback.print_exception(error)
    return FAILED


def _say(message: str) -> None:
    print(f"weedhounds: {one_line(message)}", file=sys.stderr)
