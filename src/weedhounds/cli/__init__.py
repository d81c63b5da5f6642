"""The command line: prints what the layers below answer, and computes nothing itself.

Heavy imports live inside the commands, so that ``weedhounds --help`` answers at once.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command that the process was started with; the console entry point."""
    from weedhounds.cli.app import run

    sys.exit(run(sys.argv[1:]))
