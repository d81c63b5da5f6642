"""WeedHounds: the open data node of the cannabis world.

``from weedhounds import Node, Settings``; see ``docs/`` for how to use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weedhounds.config import Settings
    from weedhounds.node import Node

__all__ = ["Node", "Settings", "__version__"]
__version__ = "0.1.0"

_LAZY = {"Node": "weedhounds.node", "Settings": "weedhounds.config"}


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that ``weedhounds --help`` stays fast."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
