"""``weedhounds codec encode`` and ``decode``: one record into a file in any format, and out of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from weedhounds.cli.codec import OriginName, origin_given
from weedhounds.cli.options import ConfigFile, Currency, DataDir, Json, KindName
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.codec import Compression, Encodable, Format
    from weedhounds.codec.dictionary_store import FolderDictionaries
    from weedhounds.codec.envelope import Envelope

ENCODE_EXAMPLE = "Example: weedhounds codec encode menu.json menu.wh --format whb-row --compression zstd"
DECODE_EXAMPLE = "Example: weedhounds codec decode menu.wh --json"
ROWS = 20
"""Most records shown without ``--json``."""

FormatName = Literal["json", "orjson", "msgpack", "protobuf", "arrow", "whb-row", "whb-column"]
CompressionName = Literal["none", "zlib", "gzip", "lz4", "brotli", "zstd", "zstd-dict"]


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """What ``encode --json`` prints. ``compression`` is the one used: ``none`` where it would have gained nothing."""

    type: str
    format: str
    compression: str
    level: int | None
    bytes: int
    is_bare: bool


def encode_file(
    source: Annotated[Path, typer.Argument(metavar="IN", help="JSON of a record, an envelope, or a recorded answer.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    *,
    format_name: Annotated[
        FormatName | None, typer.Option("--format", help="Format; default: whb-row, as entries are held.")
    ] = None,
    compression_name: Annotated[
        CompressionName | None,
        typer.Option("--compression", help="Compression; default: zstd-dict where there is a dictionary, else zstd."),
    ] = None,
    level: Annotated[int | None, typer.Option("--level", metavar="N", help="Level of the compression.")] = None,
    use: Annotated[
        Literal["hot", "rest", "wire"] | None,
        typer.Option("--use", help="Choose format and compression by measured cost for this use instead."),
    ] = None,
    bare: Annotated[
        bool, typer.Option("--bare", help="Write the compressed payload without envelope, for standard tools.")
    ] = False,
    type_name: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Which record, where IN holds several: menu, price_list."),
    ] = None,
    origin: OriginName = None,
    kind: KindName = None,
    currency: Currency = "USD",
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Write a record as an envelope of the codec, in any format and compression."""
    from weedhounds.cli.codec_files import load_files, own_dictionaries
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.cli.settings import Given

    if use is not None and (format_name, compression_name, level) != (None, None, None):
        raise BadInput("--use chooses format, compression and level: give no other")
    sink = Sink(target)
    folder = Given(config, data_dir=data_dir).load().data_dir
    dictionaries = own_dictionaries(folder)
    loaded = load_files([source], origin_given(origin, kind, currency), dictionaries)
    record = _only(loaded.records, type_name)
    if use is None:
        way = _way(record, format_name, compression_name, level, dictionaries)
    else:
        way = _chosen(record, use, folder, dictionaries)
    data = _encoded(record, way, dictionaries, is_bare=bare)
    sink.write(data)
    done = _told(record, way, data, is_bare=bare)
    if as_json:
        Sink().write(to_json(done))
    else:
        Sink().write(f"{target}: {done.type}, {done.format}+{done.compression}, {done.bytes:,} bytes\n".encode())


_Way = tuple["Format", "Compression", int | None]


def _way(
    record: Encodable,
    format_name: FormatName | None,
    compression_name: CompressionName | None,
    level: int | None,
    dictionaries: FolderDictionaries,
) -> _Way:
    from weedhounds.codec import Compression, Format
    from weedhounds.codec.kinds import kind_of

    format_ = Format(format_name or "whb-row")
    if compression_name is not None:
        return format_, Compression(compression_name), level
    has_dictionary = dictionaries.newest(kind_of(record), format_) is not None
    return format_, Compression.ZSTD_DICT if has_dictionary else Compression.ZSTD, level


def _chosen(
    record: Encodable, use: Literal["hot", "rest", "wire"], folder: Path, dictionaries: FolderDictionaries
) -> _Way:
    from weedhounds.clock import SystemClock
    from weedhounds.codec.bench import packed_bytes
    from weedhounds.codec.calibrate import calibrate
    from weedhounds.codec.choose import Use

    profile = calibrate([record], clock=SystemClock(), folder=folder, dictionaries=dictionaries)
    tag = str(type(record).__struct_config__.tag)
    choice = profile.choose(tag, packed_bytes([record]), Use(use))
    return choice.format, choice.compression, choice.level or None


def _encoded(record: Encodable, way: _Way, dictionaries: FolderDictionaries, *, is_bare: bool) -> bytes:
    from weedhounds.codec import Compression, encode
    from weedhounds.codec.base import payload_codec
    from weedhounds.codec.compress import compress
    from weedhounds.codec.kinds import kind_of

    format_, compression, level = way
    if not is_bare:
        dictionary = dictionaries.newest(kind_of(record), format_) if compression is Compression.ZSTD_DICT else None
        return encode(record, format_, compression, level=level, dictionary=dictionary)
    if compression is Compression.ZSTD_DICT:
        raise BadInput("--bare: no standard tool knows the dictionary; choose another compression")
    return compress(payload_codec(format_).encode_payload(record), compression, level)


def _told(record: Encodable, way: _Way, data: bytes, *, is_bare: bool) -> Encoded:
    from weedhounds.codec.envelope import open_envelope

    compression = way[1] if is_bare else open_envelope(data).compression
    return Encoded(
        type=str(type(record).__struct_config__.tag),
        format=way[0].value,
        compression="patch" if compression is None else compression.value,
        level=way[2],
        bytes=len(data),
        is_bare=is_bare,
    )


def decode_file(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An envelope, or with --bare a payload.")],
    *,
    bare: Annotated[
        bool, typer.Option("--bare", help="IN is a payload without envelope: say its format and compression.")
    ] = False,
    format_name: Annotated[FormatName | None, typer.Option("--format", help="Format of a bare payload.")] = None,
    compression_name: Annotated[
        CompressionName | None, typer.Option("--compression", help="Compression of a bare payload; none unless given.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout (-).")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Show the record in an envelope of any format, compression and version."""
    from weedhounds.cli.codec_files import own_dictionaries
    from weedhounds.cli.output import Sink
    from weedhounds.cli.settings import Given
    from weedhounds.codec.encoding import decode
    from weedhounds.codec.envelope import open_envelope
    from weedhounds.codec.render import render_json

    if bare != (format_name is not None):
        raise BadInput("--format goes with --bare: an envelope says its own")
    sink = Sink(None if output is None or str(output) == "-" else output)
    data = _bytes_of(source)
    if format_name is None:
        record = decode(data, dictionaries=own_dictionaries(Given(config, data_dir=data_dir).load().data_dir))
        head = _described(open_envelope(data), len(data))
    else:
        record = _bare(data, format_name, compression_name or "none")
        head = f"bare {format_name}+{compression_name or 'none'}, {len(data):,} bytes\n"
    if as_json:
        sink.write(render_json(record) + b"\n")
    else:
        sink.write(_shown(record, head, is_terminal=sink.is_terminal).encode("utf-8", "replace"))


def _bytes_of(source: Path) -> bytes:
    """Return a file's bytes as they are: a ``.gz`` may be a bare payload."""
    from weedhounds.bulk import MAX_FILE_BYTES

    if source.stat().st_size > MAX_FILE_BYTES:
        raise BadInput(f"{source} is larger than {MAX_FILE_BYTES >> 20} MB")
    return source.read_bytes()


def _bare(data: bytes, format_name: FormatName, compression_name: CompressionName) -> Encodable:
    from weedhounds.codec import Compression, Format
    from weedhounds.codec.base import payload_codec
    from weedhounds.codec.compress import decompress

    return payload_codec(Format(format_name)).decode_payload(decompress(data, Compression(compression_name)))


def _described(envelope: Envelope, size: int) -> str:
    compression = "patch" if envelope.compression is None else envelope.compression.value
    named = f" {envelope.named.hex()}" if envelope.named else ""
    return (
        f"envelope version {envelope.version}: {envelope.format}+{compression}{named}, "
        f"{size:,} bytes, payload {envelope.length:,} bytes\n"
    )


def _shown(record: Encodable, head: str, *, is_terminal: bool) -> str:
    from weedhounds.cli.record_table import COLUMNS, record_cells
    from weedhounds.cli.tables import render_table, terminal_width
    from weedhounds.codec.kinds import items_of

    items = items_of(record)
    rows = [record_cells(item) for item in items[:ROWS]]
    table = render_table(COLUMNS, rows, terminal_width(is_terminal)) if rows else "nothing in it\n"
    return head + table + (f"and {len(items) - ROWS:,} more\n" if len(items) > ROWS else "")


def _only(records: list[Encodable], type_name: str | None) -> Encodable:
    """Return the one record asked for.

    Raises:
        BadInput: there are several of the type, or none; says which types there are.
    """
    from weedhounds.codec.samples import by_type

    found = by_type(records)
    asked = found.get(type_name, []) if type_name else records
    if len(asked) != 1:
        there = ", ".join(f"{len(each)} {tag}" for tag, each in found.items())
        raise BadInput(f"one record is encoded at a time, and there are {there}: choose with --type, or another file")
    return asked[0]
