"""The HTTP API: translates requests to one call of a node and its answer back. No logic of its own."""

from weedhounds.api.app import create_app
from weedhounds.api.listen import check_listen

__all__ = ["check_listen", "create_app"]
