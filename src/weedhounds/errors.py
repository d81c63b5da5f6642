"""Every error that WeedHounds raises on purpose.

::

    WeedHoundsError
    ├── ConfigError                 a setting, flag or file that cannot be used
    │   └── BadInput                a question that cannot be asked (place, radius, deadline, key)
    ├── SourceError                 an origin did not give usable data
    │   ├── OriginUnavailable       no connection, time-out, 5xx
    │   │   └── DeadlinePassed      the asker's own deadline came first
    │   ├── RateLimited             429, or no call left in the budget (``retry_after_s``)
    │   ├── OriginRejected          403, "blocked" by a bot guard, a missing key
    │   │   └── NotFound            404: the origin says that it has no such record
    │   └── SchemaMismatch          the answer is not what the wire format promises
    ├── CodecError                  bytes that cannot become a record
    │   ├── Corrupt                 a checksum, length or encoding is wrong
    │   └── UnknownVersion          version, format or compression not known here
    ├── CacheError                  a tier could not do its work
    │   └── TierUnavailable         the backend is gone, locked, full or damaged
    └── WorkerError                 a job process could not do its work
        ├── TaskTimeout             the task ran past its limit
        └── WorkerCrashed           the process ended under the task

A miss is a value, not an error. An error keeps its arguments in ``args``, so that it
survives a pickle on its way from a job process (a test pickles every class).
"""

from __future__ import annotations


class WeedHoundsError(Exception):
    """Base of every error here.

    Args:
        message: one line for a person.
        key: the record key concerned, where there is one.
        origin: the origin concerned, where there is one.
        elapsed_s: seconds spent before the error, where measured.
        retryable: whether asking again later may help.
    """

    default_retryable = False

    def __init__(
        self,
        message: str,
        key: str | None = None,
        origin: str | None = None,
        elapsed_s: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, key, origin, elapsed_s, retryable)
        self.message = message
        self.key = key
        self.origin = origin
        self.elapsed_s = elapsed_s
        self.retryable = self.default_retryable if retryable is None else retryable

    def __str__(self) -> str:
        return self.message


class ConfigError(WeedHoundsError):
    """A setting, flag or file cannot be used."""


class BadInput(ConfigError):
    """A question cannot be asked as it stands: unknown place, negative radius, malformed key."""


class SourceError(WeedHoundsError):
    """An origin did not give usable data."""


class OriginUnavailable(SourceError):
    """No connection, a time-out, or a server error."""

    default_retryable = True


class DeadlinePassed(OriginUnavailable):
    """The deadline of whoever asked came before the answer."""


class RateLimited(SourceError):
    """The origin (429) or our own budget for it allows no call now.

    Args:
        retry_after_s: seconds until a call may be tried again, where known.
    """

    default_retryable = True

    def __init__(
        self,
        message: str,
        retry_after_s: float | None = None,
        key: str | None = None,
        origin: str | None = None,
        elapsed_s: float | None = None,
    ) -> None:
        super().__init__(message, key, origin, elapsed_s)
        self.args = (message, retry_after_s, key, origin, elapsed_s)
        self.retry_after_s = retry_after_s


class OriginRejected(SourceError):
    """The origin refused: 403 or HTML from a bot guard ("blocked"), 404, or a key is missing."""


class NotFound(OriginRejected):
    """The origin says that it has no such record: an answer, remembered for a while."""


class SchemaMismatch(SourceError):
    """The answer is not what the wire format promises: no JSON, no known envelope, too large."""


class CodecError(WeedHoundsError):
    """Bytes cannot become a record."""


class Corrupt(CodecError):
    """A checksum, a length or an encoding is wrong."""


class UnknownVersion(CodecError):
    """The envelope names a version, format or compression that this node does not know."""


class CacheError(WeedHoundsError):
    """A tier could not do its work."""


class TierUnavailable(CacheError):
    """The backend of a tier is gone, locked, full or damaged."""

    default_retryable = True


class WorkerError(WeedHoundsError):
    """A job process could not do its work."""


class TaskTimeout(WorkerError):
    """A task ran past its limit."""


class WorkerCrashed(WorkerError):
    """The process ended under the task."""

    default_retryable = True
