"""Protocol Buffers after the shipped ``weedhounds.proto``: for readers in any language.

From Python it is slow, because every message is built field by field; it is not the format to
store in. The messages hold what the structs hold, under the same names, but for two things: the tag
``type`` is the field of ``Record`` that is set, and a map of maps needs a message between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from google.protobuf.message import DecodeError, EncodeError

from weedhounds.codec.base import Encodable
from weedhounds.codec.finite import check_finite
from weedhounds.codec.protobuf_schema import flat_class, record_class
from weedhounds.errors import Corrupt
from weedhounds.model.units import Potency

MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
"""Longest message that is written or read: eight bytes may be a product, which takes 160 in memory."""

_NESTED = "potency_by_variant"
_BETWEEN = "by_analyte"
_Plain = dict[str, Any]
_Read = Callable[[Any], Any]


def encode_payload(record: Encodable) -> bytes:
    """Return ``record`` as one message ``Record``; equal records give equal bytes.

    Raises:
        Corrupt: it holds integers over 63 bits, lone surrogates, NaN or infinities.
    """
    check_finite(record)
    tag = str(type(record).__struct_config__.tag)
    try:
        message = record_class()(**{tag: _untagged(msgspec.to_builtins(record))})
        payload: bytes = message.SerializeToString(deterministic=True)
    except (ValueError, TypeError, EncodeError) as error:
        raise Corrupt(f"protobuf cannot hold it: {error}") from error
    _check_length(payload)
    return payload


def decode_payload(data: bytes) -> Encodable:
    """Return the record in a message ``Record``; fields of later versions are passed over.

    Raises:
        Corrupt: no such message, or one that lacks a field that its record must have.
    """
    _check_length(data)
    try:
        message = flat_class("Record").FromString(data)
        tag = message.WhichOneof("record")
        if tag is None:
            raise Corrupt("not a known record: the message is empty or of a later version")
        record: Encodable = _readers()[tag](getattr(message, tag))
    except (DecodeError, ValueError, TypeError, InvalidOperation) as error:
        raise Corrupt(f"not a known record: {error}") from error
    check_finite(record)
    return record


def _check_length(data: bytes) -> None:
    if len(data) > MAX_PAYLOAD_BYTES:
        raise Corrupt(f"a message of {len(data)} bytes is over the limit of {MAX_PAYLOAD_BYTES}")


def _untagged(plain: _Plain) -> _Plain:
    """Take the tags out, and put the message between into a map of maps; in place."""
    plain.pop("type", None)
    if plain.get(_NESTED):
        plain[_NESTED] = {variant: {_BETWEEN: potency} for variant, potency in plain[_NESTED].items()}
    for value in plain.values():
        if isinstance(value, tuple | list) and value and isinstance(value[0], dict) and "type" in value[0]:
            for item in value:
                _untagged(item)
    return plain


@cache
def _readers() -> Mapping[str, _Read]:
    return {str(struct.__struct_config__.tag): _struct_reader(struct) for struct in get_args(Encodable)}


@cache
def _struct_reader(struct: type[msgspec.Struct]) -> _Read:
    """Return what makes a struct of a message's bytes: each inner message becomes its struct at once."""
    fields = msgspec.structs.fields(struct)
    hints = get_type_hints(struct)
    absent = {field.name: _absent(hints[field.name]) for field in fields if field.required}
    absent = {name: value for name, value in absent.items() if value is not msgspec.NODEFAULT}
    readers = {field.name: _reader(hints[field.name], f"{struct.__name__}.{_entry(field.name)}") for field in fields}
    parse = flat_class(struct.__name__).FromString

    def read(data: bytes) -> msgspec.Struct:
        values = {field.name: readers[field.name](value) for field, value in parse(data).ListFields()}
        return struct(**(absent | values))

    return read


def _absent(hint: Any) -> object:
    """Return what an absent field without a default means: nothing in it, or not stated; else an error."""
    origin = get_origin(hint)
    if origin in (tuple, dict):
        return origin()
    return None if NoneType in get_args(hint) else msgspec.NODEFAULT


def _reader(hint: Any, entry: str) -> _Read:
    """Return what makes a field's value of what protobuf gives.

    Args:
        entry: name of the message of a map's entries.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        item = _reader(arguments[0], entry)
        return lambda values: tuple(map(item, values))
    if origin is dict:
        is_nested = get_origin(arguments[1]) is dict
        inner = f"PotencyByAnalyte.{_entry(_BETWEEN)}"
        return _map_reader(entry, _between(inner) if is_nested else _reader(arguments[1], entry))
    kinds = [kind for kind in (arguments if NoneType in arguments else (hint,)) if kind is not NoneType]
    return _single_reader(kinds[0])


def _single_reader(kind: Any) -> _Read:
    if get_origin(kind) is Literal:
        known = {value: value for value in get_args(kind)}
        return lambda value: known[value] if value in known else _refuse(value)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct_reader(kind)
    if isinstance(kind, type) and issubclass(kind, Enum | Decimal):
        return kind
    return lambda value: value


def _refuse(value: object) -> None:
    raise ValueError(f"not one of the known words: {value!r:.60}")


def _map_reader(entry: str, read: _Read) -> _Read:
    parse = flat_class(entry).FromString

    def read_map(entries: list[bytes]) -> dict[str, Any]:
        parsed = map(parse, entries)
        return {each.key: read(each.value) for each in parsed}

    return read_map


def _between(entry: str) -> _Read:
    """Return the reader of the message between the two maps of a map of maps."""
    parse, read = flat_class("PotencyByAnalyte").FromString, _map_reader(entry, _struct_reader(Potency))
    return lambda data: read(getattr(parse(data), _BETWEEN))


def _entry(field: str) -> str:
    """Return the name that protobuf gives to the message of a map's entries."""
    return "".join(part.capitalize() for part in field.split("_")) + "Entry"
