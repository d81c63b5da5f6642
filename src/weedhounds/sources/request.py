"""What goes out for a call, and where it may go: addresses, headers, redirects. No I/O.

No call leaves the origin's own hosts: those of its base address and of the option ``web_base``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from yarl import URL

from weedhounds.errors import ConfigError, OriginRejected
from weedhounds.sources.base import Call, OriginConfig
from weedhounds.sources.transport import Reply

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_VALIDATOR_CHARS = 512


class Validators(msgspec.Struct, frozen=True):
    """What a conditional request asks with (RFC 9110 section 13.1)."""

    etag: str | None = None
    last_modified: str | None = None


class Request(msgspec.Struct, frozen=True):
    """A call with its whole address and all its headers (names in lower case)."""

    url: URL
    call: Call
    headers: Mapping[str, str]

    @property
    def is_conditional(self) -> bool:
        """Tell whether it asks for what has changed alone."""
        return "if-none-match" in self.headers or "if-modified-since" in self.headers

    @property
    def wants_html(self) -> bool:
        """Tell whether a page is what it asks for."""
        return "text/html" in self.headers.get("accept", "")


class Sites:
    """The hosts of one origin, and the addresses of its calls.

    Raises:
        ConfigError: the option ``web_base`` is no address.
    """

    def __init__(self, config: OriginConfig) -> None:
        self._base_url = config.base_url
        named = config.options.get("web_base", "").replace(",", " ").split()
        try:
            self._others = frozenset(_site(_url(base)) for base in named)
        except OriginRejected as error:
            raise ConfigError(f"origin {config.origin}: web_base is no http address", origin=config.origin) from error

    def request(self, call: Call, validators: Validators | None) -> Request:
        """Return the request of a call.

        Raises:
            OriginRejected: it would go elsewhere, or has no address that can be used.
        """
        return Request(self._address(call), call, _headers(call, validators))

    def _address(self, call: Call) -> URL:
        """Return where ``call`` goes: below the base address, or to a host that the settings name."""
        if call.path.startswith("/"):
            url = _url(self._base_url + call.path)
        else:
            url = _url(call.path)
            if _site(url) not in self._others:
                raise OriginRejected("the address lies outside of the origin's hosts")
        return url.extend_query(list(call.params)) if call.params else url


def redirected(url: URL, call: Call, reply: Reply) -> URL:
    """Return where a redirect within the origin leads.

    Raises:
        OriginRejected: it leads to another host, or would need the body to be sent again.
    """
    try:
        target = url.join(URL(reply.headers.get("Location", "")))
        is_same = _site(target) == _site(url)
    except ValueError:
        is_same = False
    if not is_same or call.method != "GET":
        raise OriginRejected(f"redirected elsewhere ({reply.status}), which is not followed")
    return target


def is_page(reply: Reply) -> bool:
    """Tell whether an answer is HTML, whatever it calls itself."""
    head = reply.body[:256].lstrip().lower()
    starts_as_page = head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
    return starts_as_page or (reply.content_type == "text/html" and not head.startswith((b"{", b"[")))


def validator(reply: Reply, name: str) -> str | None:
    """Return a validator of an answer; ``None`` where it is absent or too long to keep."""
    value = reply.headers.get(name)
    return value if value and len(value) <= _VALIDATOR_CHARS else None


def _headers(call: Call, validators: Validators | None) -> dict[str, str]:
    headers = {name.lower(): value for name, value in call.headers}
    if validators is not None and validators.etag:
        headers["if-none-match"] = validators.etag
    if validators is not None and validators.last_modified:
        headers["if-modified-since"] = validators.last_modified
    return headers


def _url(text: str) -> URL:
    try:
        url = URL(text, encoded=True)
        port = url.port
    except ValueError as error:
        raise OriginRejected("the address cannot be used") from error
    if url.scheme not in ("http", "https") or not url.host or port is None or url.user:
        raise OriginRejected("the address cannot be used")
    return url


def _site(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port
