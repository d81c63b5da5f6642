"""What a command line did, run in this process or in its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Ran(NamedTuple):
    """Exit code and what was written."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]
"""Runs one command line, given word by word."""
