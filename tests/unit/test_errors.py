"""Every error crosses a process with all its fields."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator

import pytest

from weedhounds import errors
from weedhounds.errors import SourceError, WeedHoundsError


def tree(base: type[WeedHoundsError]) -> Iterator[type[WeedHoundsError]]:
    """Yield a class and all its subclasses, wherever they are defined."""
    yield base
    for below in base.__subclasses__():
        yield from tree(below)


CLASSES = sorted(
    {each for each in tree(WeedHoundsError) if each.__module__.startswith("weedhounds")}, key=lambda each: each.__name__
)
VALUES: dict[str, object] = {
    "message": "one line for a person",
    "key": "dispensary_menu:weedmaps:1",
    "origin": "weedmaps",
    "elapsed_s": 1.25,
    "retryable": True,
    "retry_after_s": 30.0,
    "status": 418,
}


def made(kind: type[WeedHoundsError]) -> WeedHoundsError:
    """Return an error with a telling value for each argument; an argument without one fails the test."""
    names = [name for name in inspect.signature(kind).parameters if name != "self"]
    return kind(**{name: VALUES[name] for name in names})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_survives_a_pickle_with_its_fields(kind: type[WeedHoundsError]) -> None:
    error = made(kind)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(error, protocol))
        assert type(back) is kind
        assert back.args == error.args
        assert vars(back) == vars(error)
        assert str(back) == "one line for a person"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_carries_what_it_was_given(kind: type[WeedHoundsError]) -> None:
    error = made(kind)
    given = {name for name in inspect.signature(kind).parameters if name != "self"}
    assert given >= {"message", "key", "origin", "elapsed_s"}
    assert all(getattr(error, name) == VALUES[name] for name in given)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_message_is_enough(kind: type[WeedHoundsError]) -> None:
    error = kind("only a message")
    assert (error.key, error.origin, error.elapsed_s) == (None, None, None)
    assert error.retryable is kind.default_retryable
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_every_error_of_the_package_stands_in_one_module_and_its_tree() -> None:
    assert {kind.__module__ for kind in CLASSES} == {"weedhounds.errors"}
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in CLASSES)


def test_what_may_help_again_is_said_by_the_class() -> None:
    assert {kind.__name__ for kind in CLASSES if kind.default_retryable} >= {
        "OriginUnavailable",
        "RateLimited",
        "TierUnavailable",
        "WorkerCrashed",
    }
    assert not SourceError.default_retryable
