"""The API of a node that answers from memory, and a client that talks to it in process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sample_answers import FakeNode
from weedhounds.api import create_app


@pytest.fixture
def node() -> FakeNode:
    """Return the node that the API asks."""
    return FakeNode()


@pytest.fixture
async def client(node: FakeNode) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the node's API."""
    transport = httpx.ASGITransport(app=create_app(node))  # type: ignore[arg-type]  # two spellings of ASGI
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as made:
        yield made
