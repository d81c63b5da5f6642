"""``weedhounds get``: single records with their provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from weedhounds.cli.options import ConfigFile, DataDir, DeadlineS, Json, LogFormat, LogLevel, Offline, SandboxAt
from weedhounds.cli.output import Sink, to_json
from weedhounds.cli.settings import Given
from weedhounds.errors import BadInput, SourceError

if TYPE_CHECKING:
    from weedhounds.query.answer import Missing, RecordAnswer

EXAMPLE = "Example: weedhounds get dispensary_menu:weedmaps:1234 product_pricing:weedmaps:1234 --json"
MAX_KEYS = 1000


class Got(msgspec.Struct, frozen=True):
    """What ``get --json`` prints."""

    records: list[RecordAnswer]
    missing: list[Missing]


def get(
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Record keys: data_type:origin:id[:variant].")],
    *,
    deadline_s: DeadlineS = None,
    sandbox: SandboxAt = None,
    offline: Offline = False,
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Print records by key, each with where it came from. Fails where none of them is found."""
    from weedhounds.cli.loop import run_async
    from weedhounds.model.keys import RecordKey

    if len(keys) > MAX_KEYS:
        raise BadInput(f"at most {MAX_KEYS} keys at once, not {len(keys)}")
    for key in keys:
        RecordKey.parse(key)
    given = Given(config, data_dir=data_dir, log={"level": log_level, "format": log_format})
    got = run_async(_records(keys, given, sandbox, deadline_s=deadline_s, offline=offline))
    sink = Sink()
    sink.write(to_json(got) if as_json else _text(got, is_terminal=sink.is_terminal).encode("utf-8", "replace"))
    if not got.records:
        raise typer.Exit(1)


async def _records(
    keys: list[str], given: Given, sandbox: str | None, *, deadline_s: float | None, offline: bool
) -> Got:
    from weedhounds.cli.nodes import started_node
    from weedhounds.model.keys import RecordKey
    from weedhounds.query.answer import Missing

    got = Got([], [])
    async with started_node(given, sandbox) as node:
        for key in dict.fromkeys(keys):
            try:
                answer = await node.record(key, deadline_s=deadline_s, offline=offline)
            except SourceError as error:
                got.missing.append(Missing(RecordKey.parse(key).origin, key, str(error)))
                continue
            if answer is None:
                got.missing.append(Missing(RecordKey.parse(key).origin, key, "nobody has it"))
            else:
                got.records.append(answer)
    return got


def _text(got: Got, *, is_terminal: bool) -> str:
    from weedhounds.cli.record_table import record_text
    from weedhounds.cli.tables import terminal_width
    from weedhounds.cli.text import one_line

    width = terminal_width(is_terminal)
    texts = [record_text(answer, width) for answer in got.records]
    texts += [f"missing: {one_line(m.what)}: {one_line(m.why)}\n" for m in got.missing]
    return "\n".join(texts)
