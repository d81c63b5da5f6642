"""Load a policy's factory from what a person names: ``FILE.py:FACTORY`` or ``MODULE:FACTORY``.

The file is run: it is the user's own code, as a script's would be.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from weedhounds.errors import BadInput
from weedhounds.sim.judge import Dial, Family
from weedhounds.sim.replay import Policy


def load_family(named: str) -> Family:
    """Return the policy's family; its dial is the price where the factory takes one.

    Args:
        named: ``FILE.py:FACTORY``, or a module in place of the file; without a factory: ``make``.

    Raises:
        BadInput: there is no such file or factory, it cannot be loaded, or it makes no policy.
    """
    place, _, factory = named.rpartition(":") if ":" in named else (named, "", "make")
    make = getattr(_module(place), factory, None)
    if not callable(make):
        raise BadInput(f"{place} has no factory {factory!r}")
    dial = _dial(make)
    _check(named, make, dial)
    return Family(named, (lambda _: make()) if dial == "none" else make, dial)


def _module(place: str) -> ModuleType:
    try:
        if place.endswith(".py"):
            return _from_file(Path(place))
        return importlib.import_module(place)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"cannot load {place}: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    name = f"weedhounds_policy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look there
    spec.loader.exec_module(module)
    return module


def _dial(make: Callable[..., object]) -> Dial:
    """Tell whether the factory takes a price."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return "price"
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return "price" if any(p.kind in kinds or p.kind is p.VAR_POSITIONAL for p in parameters) else "none"


def _check(named: str, make: Callable[..., Policy], dial: Dial) -> None:
    try:
        policy = make() if dial == "none" else make(1.0)
    except Exception as error:
        raise BadInput(f"{named} makes no policy: {type(error).__name__}: {error}") from error
    if not callable(policy):
        raise BadInput(f"{named} made {type(policy).__name__}, no policy that can be called")
