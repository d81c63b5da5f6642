"""What errors of a MySQL or MariaDB server mean, in one line that names the server and, where there is one, the cure."""

from __future__ import annotations

import errno
from typing import Any

from weedhounds.errors import ConfigError, TierUnavailable, WeedHoundsError

_LOST = frozenset({0, 1053, 1077, 1080, 1158, 1159, 1160, 1161, 1184, 1927, 2003, 2006, 2013, 2014, 2055})
"""Connection refused, gone, killed or out of step."""
_AGAIN = frozenset({1213, 1020})
"""Deadlock, record changed since last read: nothing was written, and trying again at once helps."""
_LOCKED = 1205
_SCHEMA = frozenset({1054, 1091, 1146})
_RIGHTS = frozenset({1142, 1143, 1044, 1227, 1370})
_REASONS = {
    1021: "cannot grow: the disk is full",
    1040: "has no connection left (max_connections)",
    1034: "has a damaged table: run CHECK TABLE and REPAIR or restore a backup",
    1114: "cannot grow: a table is full",
    1153: "refuses a packet of this size (max_allowed_packet)",
    1205: "is locked by another transaction for longer than database.busy_timeout_s",
    1213: "met a deadlock again and again",
    1290: "is read-only",
    1836: "is read-only",
    1877: "has a damaged table: run CHECK TABLE and REPAIR or restore a backup",
    1712: "has a damaged index: run CHECK TABLE and REPAIR or restore a backup",
}
_DAMAGED = frozenset({1034, 1712, 1877})
_FULL = errno.ENOSPC


def code_of(error: BaseException) -> int:
    """Return the server's or client's error number; 0 where there is none."""
    args: tuple[Any, ...] = getattr(error, "args", ())
    return args[0] if args and type(args[0]) is int else 0


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection is of no use any more."""
    from asyncmy.errors import InterfaceError, InternalError, OperationalError

    if isinstance(error, OSError | EOFError | RuntimeError):
        return True
    return isinstance(error, OperationalError | InterfaceError | InternalError) and code_of(error) in _LOST


def is_passing(error: BaseException) -> bool:
    """Tell whether the very same transaction may succeed when it is tried again at once."""
    return code_of(error) in _AGAIN


def is_in_step(error: BaseException) -> bool:
    """Tell whether the connection can be used on after a rollback."""
    return code_of(error) in _AGAIN or code_of(error) == _LOCKED


def unavailable(place: str, error: BaseException, elapsed_s: float) -> TierUnavailable:
    """Return the typed error for what the client raised."""
    if isinstance(error, TierUnavailable):
        return error
    code, told = code_of(error), _told(error)
    reason = _REASONS.get(code)
    if isinstance(error, TimeoutError):
        reason = "gave no answer in time (database.timeout_s)"
    elif code in _SCHEMA:
        reason = f"has another schema than expected ({told}): weedhounds db check says more"
    elif code in _RIGHTS:
        reason = f"does not allow this user what is needed ({told}): weedhounds db check says more"
    elif f"errno: {_FULL}" in told.lower() or f"errcode: {_FULL}" in told.lower():
        reason = _REASONS[1021]
    elif reason is None and is_lost(error):
        reason = f"cannot be reached ({told})"
    return TierUnavailable(
        f"{place} {reason or f'failed: {told}'}", elapsed_s=elapsed_s, retryable=code not in _DAMAGED
    )


def opening_error(place: str, error: BaseException, elapsed_s: float) -> WeedHoundsError:
    """Return what to tell a user who cannot connect: a setting to mend where it is one."""
    code = code_of(error)
    if code in (1044, 1045, 1698):
        return ConfigError(f"{place} refuses this user or password: setting database.url")
    if code == 1049:
        return ConfigError(f"{place}: there is no such database; create it (CREATE DATABASE …)")
    if isinstance(error, WeedHoundsError):
        return error
    return unavailable(place, error, elapsed_s)


def _told(error: BaseException) -> str:
    args: tuple[Any, ...] = getattr(error, "args", ())
    text = str(args[1]) if len(args) > 1 else str(error)
    return " ".join((text or type(error).__name__).split())[:200]
