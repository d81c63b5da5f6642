"""Where the API may listen, and which Host names it answers to."""

from __future__ import annotations

import ipaddress

from weedhounds.config import ServerSettings
from weedhounds.errors import ConfigError

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine alone; a name other than ``localhost`` is not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_listen(server: ServerSettings) -> None:
    """Refuse an address that other machines reach, unless reading is public.

    Raises:
        ConfigError: such an address without ``server.public_read``.
    """
    if not is_loopback(server.host) and not server.public_read:
        raise ConfigError(
            f"setting server.host: {server.host} is reached from other machines; "
            "allow that with --public-read (server.public_read)"
        )


def allowed_hosts(server: ServerSettings) -> frozenset[str] | None:
    """Return the Host names answered to, or ``None`` for any.

    On loopback only the node's own names: a web page that rebinds its own name to 127.0.0.1
    must not read the node.
    """
    return frozenset((*_LOOPBACK_NAMES, server.host)) if is_loopback(server.host) else None


def host_name(field: str) -> str:
    """Return the name in a Host field, lower case, without port, brackets and final dot.

    Example:
        >>> [host_name(h) for h in ("LocalHost:8420", "[::1]:80", "node.example.")]
        ['localhost', '::1', 'node.example']
    """
    field = field.strip().lower()
    if field.startswith("["):
        return field[1:].partition("]")[0]
    return field.partition(":")[0].removesuffix(".")


def url_of(host: str, port: int) -> str:
    """Return the address of a listener; wildcard addresses are reached over loopback."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
