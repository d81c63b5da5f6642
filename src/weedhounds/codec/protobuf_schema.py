"""The message classes of ``weedhounds.proto``, made from the file itself: no compiler, no generated code.

Only the part of the language that the file uses is understood: one statement on a line, messages
with single, repeated and map fields, one ``oneof``, ``reserved`` lines. A test compares the outcome
with what ``protoc`` makes of the same file.

There are two sets of classes. Writing uses the schema as it stands. Reading uses it *flat*: every
message within a message is declared as bytes, which protobuf calls the same on the wire, and is
parsed on its own when its turn comes. Otherwise two hostile bytes become a message of hundreds,
all allocated before the first can be looked at.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from weedhounds.errors import ConfigError

FILE = "weedhounds.proto"
PACKAGE = "weedhounds.v1"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "double": _Field.TYPE_DOUBLE,
    "int64": _Field.TYPE_INT64,
    "bool": _Field.TYPE_BOOL,
}
_MESSAGE = re.compile(r"message (\w+) \{")
_ONEOF = re.compile(r"oneof (\w+) \{")
_PLAIN = re.compile(r"(?:(optional|repeated) )?(\w+) (\w+) = (\d+);")
_MAP = re.compile(r"map<string, (\w+)> (\w+) = (\d+);")
_IGNORED = re.compile(r'syntax = "proto3";|package weedhounds\.v1;|reserved .+;')


def proto_text() -> str:
    """Return the text of the shipped schema."""
    return (files(__package__) / FILE).read_text(encoding="utf-8")


@cache
def record_class() -> type[Message]:
    """Return the class of the message ``Record``, to write one."""
    return _class(_pool(is_flat=False), "Record")


@cache
def flat_class(name: str) -> type[Message]:
    """Return the class of a message (``Menu``, ``Product.PotencyEntry``) whose inner messages are bytes, to read one."""
    return _class(_pool(is_flat=True), name)


@cache
def _pool(*, is_flat: bool) -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(describe(proto_text(), is_flat=is_flat).SerializeToString())
    return pool


def _class(pool: descriptor_pool.DescriptorPool, name: str) -> type[Message]:
    found: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
    return found


def describe(text: str, *, is_flat: bool = False) -> descriptor_pb2.FileDescriptorProto:
    """Return the descriptor of a schema, as it stands or flat.

    Raises:
        ConfigError: a line that is not understood.
    """
    file = descriptor_pb2.FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    in_oneof = False
    for line in (raw.partition("//")[0].strip() for raw in text.splitlines()):
        if found := _MESSAGE.fullmatch(line):
            file.message_type.add(name=found[1])
        elif found := _ONEOF.fullmatch(line):
            file.message_type[-1].oneof_decl.add(name=found[1])
            in_oneof = True
        elif found := _PLAIN.fullmatch(line):
            _add_field(file.message_type[-1], found, in_oneof=in_oneof)
        elif found := _MAP.fullmatch(line):
            _add_map(file.message_type[-1], found)
        elif line == "}":
            in_oneof = False
        elif line and not _IGNORED.fullmatch(line):
            raise ConfigError(f"{FILE}: not understood: {line}")
    return _flat(file) if is_flat else file


def _flat(file: descriptor_pb2.FileDescriptorProto) -> descriptor_pb2.FileDescriptorProto:
    for message in file.message_type:
        for each in (message, *message.nested_type):
            each.ClearField("options")
            for field in each.field:
                if field.type == _Field.TYPE_MESSAGE:
                    field.type = _Field.TYPE_BYTES
                    field.ClearField("type_name")
                    if field.label == _Field.LABEL_OPTIONAL and not field.HasField("oneof_index"):
                        _give_presence(each, field)  # an empty message is there; empty bytes alone are not
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, found: re.Match[str], *, in_oneof: bool) -> None:
    label = _Field.LABEL_REPEATED if found[1] == "repeated" else _Field.LABEL_OPTIONAL
    field = message.field.add(name=found[3], number=int(found[4]), label=label)
    _set_type(field, found[2])
    if in_oneof:
        field.oneof_index = 0
    elif found[1] == "optional":
        _give_presence(message, field)


def _give_presence(message: descriptor_pb2.DescriptorProto, field: descriptor_pb2.FieldDescriptorProto) -> None:
    """Make a scalar field tell empty from absent: it gets a oneof of its own, after the real ones."""
    field.proto3_optional = True
    field.oneof_index = len(message.oneof_decl)
    message.oneof_decl.add(name=f"_{field.name}")


def _add_map(message: descriptor_pb2.DescriptorProto, found: re.Match[str]) -> None:
    entry = message.nested_type.add(name="".join(part.capitalize() for part in found[2].split("_")) + "Entry")
    entry.options.map_entry = True
    key = entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL)
    _set_type(key, "string")
    value = entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
    _set_type(value, found[1])
    field = message.field.add(name=found[2], number=int(found[3]), label=_Field.LABEL_REPEATED)
    _set_type(field, f"{message.name}.{entry.name}")


def _set_type(field: descriptor_pb2.FieldDescriptorProto, name: str) -> None:
    if name in _SCALARS:
        field.type = _SCALARS[name]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{name}"
