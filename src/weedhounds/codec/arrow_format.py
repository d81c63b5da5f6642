"""Arrow IPC streams: one row an item, for analytics and export; needs the extra ``[arrow]``.

A table of many rows is what Arrow is made for; a message of one menu costs it some kilobytes of
schema. What a body says besides its items stands in the schema's metadata. Prices are decimal
text, as in the other formats: a scaled decimal would lose how many digits were given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import msgspec
import pyarrow as pa

from weedhounds.codec.arrow_stream import check_plain
from weedhounds.codec.base import Encodable
from weedhounds.codec.finite import check_finite
from weedhounds.errors import Corrupt
from weedhounds.model.records import Record

MAX_PAYLOAD_BYTES = 32 * 1024 * 1024
"""Longest stream that is written or read."""

_UNREADABLE = (
    pa.ArrowException, msgspec.MsgspecError, ValueError, TypeError, LookupError, OSError, MemoryError, RecursionError,
)  # fmt: skip
"""What Arrow raises for bytes that are no table: several of Python's own errors among them."""

_ROWS_AT_ONCE = 500
"""Rows turned into Python values at a time: as dictionaries they take several times their room."""
_TAG, _REST = b"weedhounds.record", b"weedhounds.rest"
_SCALARS: Mapping[type, pa.DataType] = {
    str: pa.string(),
    float: pa.float64(),
    int: pa.int64(),
    bool: pa.bool_(),
    Decimal: pa.string(),
}


def encode_payload(record: Encodable) -> bytes:
    """Return ``record`` as an Arrow IPC stream of uncompressed batches.

    Raises:
        Corrupt: it holds integers over 63 bits, lone surrogates, NaN or infinities, or is longer than 32 MiB.
    """
    check_finite(record)
    kind = type(record)
    plain: dict[str, Any] = msgspec.to_builtins(record)
    items_field = _items_field(kind)
    rows = [plain] if items_field is None else plain.pop(items_field)
    rest = {} if items_field is None else plain
    schema = _schema(_item(kind)).with_metadata({_TAG: str(plain["type"]), _REST: msgspec.json.encode(rest)})
    sink = pa.BufferOutputStream()
    try:
        table = pa.Table.from_pylist(list(rows), schema=schema)
        with pa.ipc.new_stream(sink, schema) as stream:
            stream.write_table(table)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise Corrupt(f"Arrow cannot hold it: {error}") from error
    payload: bytes = sink.getvalue().to_pybytes()
    _check_length(payload)
    return payload


def decode_payload(data: bytes) -> Encodable:
    """Return the record in an Arrow IPC stream.

    Raises:
        Corrupt: no such stream, another schema, compressed buffers, or rows that share their bytes.
    """
    _check_length(data)
    check_plain(data)
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
            kind, rest = _described(stream.schema)
            table = stream.read_all()
        table.validate(full=True)
        if table.nbytes > len(data):  # columns that share buffers: few bytes, many values
            raise Corrupt("an Arrow table larger than its stream")
        return _record(kind, rest, table)
    except _UNREADABLE as error:
        raise Corrupt(f"not a known record: {error}") from error


def _check_length(data: bytes) -> None:
    if len(data) > MAX_PAYLOAD_BYTES:
        raise Corrupt(f"a stream of {len(data)} bytes is over the limit of {MAX_PAYLOAD_BYTES}")


def _described(schema: pa.Schema) -> tuple[type[Encodable], dict[str, Any]]:
    """Return the record's type and what it says besides its rows.

    Raises:
        Corrupt: the schema is not the one that the type has here.
    """
    metadata: Mapping[bytes, bytes] = schema.metadata or {}
    kind = _kinds()[metadata[_TAG].decode()]
    if not schema.remove_metadata().equals(_schema(_item(kind))):
        raise Corrupt("the Arrow schema is another one")
    return kind, msgspec.json.decode(metadata[_REST], type=dict[str, Any])


def _record(kind: type[Encodable], rest: dict[str, Any], table: pa.Table) -> Encodable:
    items = tuple(_items(_item(kind), table))
    items_field = _items_field(kind)
    if items_field is not None:
        record: Encodable = msgspec.convert({**rest, items_field: ()}, kind)
        record = msgspec.structs.replace(record, **{items_field: items})
    elif len(items) == 1:
        record = cast(Encodable, items[0])
    else:
        raise Corrupt(f"{len(items)} rows where one is expected")
    check_finite(record)
    return record


def _items(item: type[Record], table: pa.Table) -> Iterator[Record]:
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        rows = table.slice(start, _ROWS_AT_ONCE).to_pylist(maps_as_pydicts="strict")
        yield from (msgspec.convert(row, item) for row in rows)


@cache
def _kinds() -> Mapping[str, type[Encodable]]:
    return {str(struct.__struct_config__.tag): struct for struct in get_args(Encodable)}


@cache
def _items_field(kind: type[Encodable]) -> str | None:
    """Return the field of a body that holds its items; ``None`` for a single record."""
    if issubclass(kind, Record):
        return None
    return next(name for name, hint in get_type_hints(kind).items() if get_origin(hint) is tuple)


@cache
def _item(kind: type[Encodable]) -> type[Record]:
    field = _items_field(kind)
    return cast(type[Record], kind if field is None else get_args(get_type_hints(kind)[field])[0])


@cache
def _schema(struct: type[msgspec.Struct]) -> pa.Schema:
    return pa.schema(_fields(struct))


def _fields(struct: type[msgspec.Struct]) -> list[pa.Field]:
    hints = get_type_hints(struct)
    return [_field(name, hints[name]) for name in struct.__struct_fields__]


def _field(name: str, hint: Any) -> pa.Field:
    return pa.field(name, _type(hint), nullable=NoneType in get_args(hint))


def _type(hint: Any) -> pa.DataType:
    origin, arguments = get_origin(hint), get_args(hint)
    if NoneType in arguments:
        return _type(next(kind for kind in arguments if kind is not NoneType))
    if origin is tuple:
        return pa.list_(_field("item", arguments[0]))
    if origin is dict:
        return pa.map_(pa.string(), _field("value", arguments[1]))
    if origin is Literal or issubclass(hint, Enum):
        return pa.string()
    return pa.struct(_fields(hint)) if issubclass(hint, msgspec.Struct) else _SCALARS[hint]
