"""Records of every type that can be encoded, for property tests: made from the types, so that none is forgotten."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from weedhounds.codec.base import Encodable

RECORD_TYPES: tuple[type[Encodable], ...] = get_args(Encodable)
TYPE_NAMES = [each.__name__ for each in RECORD_TYPES]


class Leaves(NamedTuple):
    """What single values are drawn from."""

    text: st.SearchStrategy[str]
    number: st.SearchStrategy[float]
    whole: st.SearchStrategy[int]
    decimal: st.SearchStrategy[Decimal]


_clean_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SOUND = Leaves(
    text=_clean_text,
    number=st.floats(allow_nan=False, allow_infinity=False),
    whole=st.integers(-(2**63), 2**63 - 1),
    decimal=st.decimals(allow_nan=False, allow_infinity=False),
)
"""Values that every format must hold."""

WILD = Leaves(
    text=_clean_text | st.text(st.characters(), max_size=12) | st.just("a\ud800"),
    number=st.floats(),
    whole=st.integers() | st.sampled_from([2**63, 2**64, -(2**63) - 1, 2**80]),
    decimal=st.decimals() | st.sampled_from([Decimal("NaN"), Decimal("-Infinity"), Decimal("sNaN")]),
)
"""Values that a format may refuse, but must not change."""


def records(kind: type[Encodable], leaves: Leaves = SOUND) -> st.SearchStrategy[Any]:
    """Return a strategy of records of a type."""
    return _struct(kind, leaves)


def any_records(leaves: Leaves = SOUND) -> st.SearchStrategy[Any]:
    """Return a strategy of records of all types."""
    return st.one_of([records(kind, leaves) for kind in RECORD_TYPES])


def _struct(kind: Any, leaves: Leaves) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        (required if field.required else optional)[field.name] = _strategy(hints[field.name], leaves)
    return st.fixed_dictionaries(required, optional=optional).map(lambda values: kind(**values))


def _strategy(hint: Any, leaves: Leaves) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(st.deferred(lambda: _strategy(arguments[0], leaves)), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(leaves.text, _strategy(arguments[1], leaves), max_size=3)
    if NoneType in arguments:
        return st.none() | st.one_of([_strategy(kind, leaves) for kind in arguments if kind is not NoneType])
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    if issubclass(hint, msgspec.Struct):
        return _struct(hint, leaves)
    known: dict[Any, st.SearchStrategy[Any]] = {
        str: leaves.text,
        float: leaves.number,
        int: leaves.whole,
        Decimal: leaves.decimal,
        bool: st.booleans(),
    }
    return known[hint]


def typed(value: object) -> object:
    """Return ``value`` with the type of every part beside it: equal only where the types are, too.

    Zeros of different sign and decimals of different digits are told apart; a mapping's order is not.
    """
    if isinstance(value, msgspec.Struct):
        return type(value), [(name, typed(getattr(value, name))) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return dict, sorted((key, typed(each)) for key, each in value.items())
    if isinstance(value, tuple | list):
        return type(value), [typed(each) for each in value]
    return type(value), repr(value)


def filled(kind: type[Encodable], size: int = 2) -> Any:
    """Return one record of a type with every field set, ``size`` values in each list and mapping; always the same."""
    return _filled_struct(kind, size, "")


def _filled_struct(kind: Any, size: int, mark: str) -> Any:
    hints = get_type_hints(kind)
    return kind(**{name: _filled(hints[name], size, f"{name}{mark}") for name in kind.__struct_fields__})


def _filled(hint: Any, size: int, mark: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return arguments[-1]
    if origin is tuple:
        return tuple(_filled(arguments[0], size, f"{mark}-{n}") for n in range(size))
    if origin is dict:
        return {f"{mark} {n}": _filled(arguments[1], size, f"{mark}-{n}") for n in range(size)}
    if NoneType in arguments:
        return _filled(next(each for each in arguments if each is not NoneType), size, mark)
    if issubclass(hint, Enum):
        return list(hint)[len(mark) % len(hint)]
    if issubclass(hint, msgspec.Struct):
        return _filled_struct(hint, size, mark)
    known: dict[Any, Any] = {
        str: f"{mark} Größe 🌿",
        float: len(mark) + 0.1,
        int: len(mark),
        Decimal: Decimal(len(mark)) + Decimal("0.50"),
        bool: len(mark) % 2 == 0,
    }
    return known[hint]


def bare(kind: type[Encodable]) -> Any:
    """Return one record of a type with nothing set but what must be, and that as empty as can be."""
    return _bare_struct(kind)


def _bare_struct(kind: Any) -> Any:
    hints = get_type_hints(kind)
    return kind(**{field.name: _bare(hints[field.name]) for field in msgspec.structs.fields(kind) if field.required})


def _bare(hint: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return arguments[0]
    if origin in (tuple, dict):
        return origin()
    if NoneType in arguments:
        return None
    if issubclass(hint, Enum):
        return next(iter(hint))
    if issubclass(hint, msgspec.Struct):
        return _bare_struct(hint)
    return hint()
