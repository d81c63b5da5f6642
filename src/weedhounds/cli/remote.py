"""A running node, asked over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from weedhounds.errors import BadInput, WeedHoundsError

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

    from weedhounds.node import NodeStats
    from weedhounds.query.answer import FoundOffer, HuntAnswer

PAGE = 1000
_MAX_BODY_BYTES = 256 * 2**20
_MAX_PAGES = 1000
_SLACK_S = 15.0
"""How much longer than the hunt's own deadline its answer may take."""


class _Problem(msgspec.Struct):
    """What of a problem document is shown."""

    detail: str = ""


class RemoteHunt(msgspec.Struct, frozen=True, kw_only=True):
    """A hunt to ask of a node; what is ``None`` is left to the node's settings, ``limit`` means all."""

    query: str
    near: str
    radius_km: float | None
    deadline_s: float | None
    limit: int | None

    def parameters(self, wanted: int, cursor: str | None) -> dict[str, str]:
        """Return the parameters of the page that begins at ``cursor``."""
        given = {"q": self.query, "near": self.near, "radius_km": self.radius_km, "deadline_s": self.deadline_s}
        return {
            name: str(value)
            for name, value in (*given.items(), ("limit", wanted), ("cursor", cursor))
            if value is not None
        }


async def ask_node(url: str, hunt: RemoteHunt) -> HuntAnswer:
    """Return the answer of the node at ``url``, its pages joined; times and calls are those of the first.

    Raises:
        BadInput: the address or the question cannot be used.
        WeedHoundsError: the node cannot be reached, or failed.
    """
    import aiohttp

    if not url.startswith(("http://", "https://")):
        raise BadInput(f"not the address of a node: {url} (expected http://HOST:PORT)")
    timeout = aiohttp.ClientTimeout(total=(hunt.deadline_s or 120.0) + _SLACK_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await _pages(session, f"{url.rstrip('/')}/v1/hunt", hunt)
    except (aiohttp.ClientError, OSError) as error:
        raise WeedHoundsError(f"cannot ask the node at {url}: {str(error) or 'no answer in time'}") from error


async def ask_stats(url: str) -> NodeStats:
    """Return the figures of the node at ``url``.

    Raises:
        BadInput: the address cannot be used.
        WeedHoundsError: the node cannot be reached, or failed.
    """
    import aiohttp

    from weedhounds.node import NodeStats

    if not url.startswith(("http://", "https://")):
        raise BadInput(f"not the address of a node: {url} (expected http://HOST:PORT)")
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SLACK_S)) as session:
            body = await _answer(session, f"{url.rstrip('/')}/v1/stats", {})
    except (aiohttp.ClientError, OSError) as error:
        raise WeedHoundsError(f"cannot ask the node at {url}: {str(error) or 'no answer in time'}") from error
    try:
        return msgspec.json.decode(body, type=NodeStats)
    except msgspec.MsgspecError as error:
        raise WeedHoundsError(f"{url} does not tell the figures of a WeedHounds node: {error}") from error


async def _pages(session: ClientSession, url: str, hunt: RemoteHunt) -> HuntAnswer:
    first: HuntAnswer | None = None
    offers: list[FoundOffer] = []
    cursor: str | None = None
    for _ in range(_MAX_PAGES):
        left = PAGE if hunt.limit is None else hunt.limit - len(offers)
        page = await _page(session, url, hunt.parameters(min(PAGE, left), cursor))
        first = first or page
        offers += page.offers
        cursor = page.meta.next_cursor
        if cursor is None or not page.offers or len(offers) == hunt.limit:
            break
    assert first is not None
    meta = msgspec.structs.replace(first.meta, next_cursor=cursor)
    return msgspec.structs.replace(first, offers=tuple(offers), meta=meta)


async def _page(session: ClientSession, url: str, parameters: dict[str, str]) -> HuntAnswer:
    from weedhounds.query.answer import HuntAnswer

    body = await _answer(session, url, parameters)
    try:
        return msgspec.json.decode(body, type=HuntAnswer)
    except msgspec.MsgspecError as error:
        raise WeedHoundsError(f"{url} is not a hunt of a WeedHounds node: {error}") from error


async def _answer(session: ClientSession, url: str, parameters: dict[str, str]) -> bytes:
    async with session.get(url, params=parameters) as response:
        body = await _bounded(response)
        if response.status != 200:
            detail = _detail(body) or f"HTTP {response.status}"
            raise BadInput(detail) if response.status == 400 else WeedHoundsError(f"the node at {url} failed: {detail}")
    return body


async def _bounded(response: ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise WeedHoundsError(f"{response.url} answers with more than {_MAX_BODY_BYTES >> 20} MB")
    return bytes(body)


def _detail(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Problem).detail
    except msgspec.MsgspecError:
        return ""
