"""Logging, the request's id and figures, counters and histograms. No exporter here.

One request id travels in a context variable and is written on every log line of that request,
in whatever layer. A :class:`Trace` collects what one request cost. Secrets never reach a log:
values under a name that sounds like one are masked, and addresses lose their query.
"""

from __future__ import annotations

import logging
import re
import sys
import uuid
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, Protocol, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MAX_NAMES = 256
"""Most names that one :class:`Counters` tells apart; further ones count as ``other``."""

LATENCY_BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Upper bounds of the latency buckets, seconds; one more bucket holds what is longer."""

TIER_BOUNDS_S = (
    0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0
)  # fmt: skip
"""Upper bounds of the buckets for the answers of tiers, which take from microseconds on."""

_MASK = "***"
_SECRET_NAME = re.compile(r"key$|keys$|secret|token|passw|authori[sz]ation|cookie|credential", re.I)
_PLAIN_NAMES = frozenset({"key", "keys", "record_key"})  # record keys are no secrets
_QUERY = re.compile(r"(https?://[^\s?#]*)\?[^\s]*")
_USERINFO = re.compile(r"(\w+://)[^\s/@]+@")
_MAX_DEPTH = 4

_request_id: ContextVar[str | None] = ContextVar("weedhounds_request_id", default=None)


def request_id() -> str | None:
    """Return the id of the request being served, or ``None`` outside of one."""
    return _request_id.get()


@contextmanager
def bind_request_id(value: str | None = None) -> Iterator[str]:
    """Name the request that the block serves; tasks started inside inherit the name.

    Args:
        value: an id that came with the request (cut to 64 characters); a new one by default.
    """
    name = value[:64] if value else uuid.uuid4().hex[:16]
    token = _request_id.set(name)
    try:
        yield name
    finally:
        _request_id.reset(token)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the time of writing, not at the time of configuring."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError("the stream is always stderr")


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info", format: Literal["console", "json"] = "console"
) -> None:
    """Send every log line, our own and the libraries', to stderr as console text or JSON lines.

    Repeated calls replace the configuration. Libraries below warning are silent.
    """
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        _add_request_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # plain text: the console's own tracebacks print local variables
        mask_secrets,
    ]
    render: Processor = (
        structlog.processors.JSONRenderer() if format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("weedhounds").setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; ``name`` is its dotted name under ``weedhounds``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    current = _request_id.get()
    if current is not None:
        event.setdefault("request_id", current)
    return event


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask what sounds like a secret in a log event, and cut the query off addresses."""
    return {name: _masked(name, value, 0) for name, value in event.items()}


def _masked(name: str, value: Any, depth: int) -> Any:
    if name not in _PLAIN_NAMES and _SECRET_NAME.search(name):
        return _MASK
    if isinstance(value, str):
        return _USERINFO.sub(r"\1", _QUERY.sub(r"\1?***", value))
    if isinstance(value, Mapping):
        if depth >= _MAX_DEPTH:
            return _MASK
        return {str(k): _masked(str(k), v, depth + 1) for k, v in value.items()}
    return value


class CallCounter(Protocol):
    """Whoever pays for a call attempt at an origin."""

    def called(self) -> None:
        """Count one attempt; called in the moment in which the request goes out."""
        ...


class Trace:
    """What one request (a hunt, a get) cost.

    Args:
        on_progress: called with (loads done, loads known) whenever one of them changes.

    ``origin_calls`` counts call attempts at origins, retries and cancelled ones included;
    ``by_tier`` records found, by the tier that had them; ``tier_errors`` the times that a tier was
    skipped because it failed.
    """

    __slots__ = ("_on_progress", "by_tier", "loads", "loads_ended", "origin_calls", "tier_errors")

    def __init__(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        self.origin_calls = 0
        self.by_tier: dict[str, int] = {"memory": 0, "sql": 0, "peers": 0, "origin": 0}
        self.tier_errors = 0
        self.loads = 0
        self.loads_ended = 0
        self._on_progress = on_progress

    def called(self) -> None:
        """Count one call attempt at an origin."""
        self.origin_calls += 1

    def found(self, tier: str, count: int = 1) -> None:
        """Count ``count`` records that ``tier`` had."""
        self.by_tier[tier] = self.by_tier.get(tier, 0) + count

    def loads_started(self, count: int) -> None:
        """Count loads that are now waited for."""
        self.loads += count
        self._tell()

    def load_done(self, _: object = None) -> None:
        """Count a load that has ended (takes the ended task, to serve as its callback)."""
        self.loads_ended += 1
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.loads_ended, self.loads)


class Counters:
    """Named counts that only grow.

    Bounds: ``MAX_NAMES`` names; further ones are counted together as ``other``.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Add ``count`` to ``name``."""
        if name not in self._counts and len(self._counts) >= MAX_NAMES - 1:
            name = "other"
        self._counts[name] = self._counts.get(name, 0) + count

    def __getitem__(self, name: str) -> int:
        return self._counts.get(name, 0)

    def snapshot(self) -> dict[str, int]:
        """Return a copy of all counts."""
        return dict(self._counts)


class LatencySummary(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram as ``/v1/stats`` shows it; seconds, quantiles interpolated within a bucket."""

    count: int
    sum_s: float
    max_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    buckets: dict[str, int]


class Histogram:
    """Counts of durations in fixed buckets; one observation costs one binary search.

    Args:
        bounds_s: rising upper bounds, seconds; a last bucket without bound is added.
    """

    __slots__ = ("_bounds", "_counts", "count", "max_s", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...] = LATENCY_BOUNDS_S) -> None:
        self._bounds = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self.count = 0
        self.sum_s = 0.0
        self.max_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration (negative ones count as zero)."""
        seconds = max(0.0, seconds)
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.count += 1
        self.sum_s += seconds
        self.max_s = max(self.max_s, seconds)

    def quantile(self, share: float) -> float:
        """Return the duration below which ``share`` (0..1) of the observations lie, seconds; 0 for none."""
        rank = share * self.count
        seen = 0
        for i, count in enumerate(self._counts):
            if count and seen + count >= rank:
                low = self._bounds[i - 1] if i else 0.0
                high = min(self._bounds[i], self.max_s) if i < len(self._bounds) else self.max_s
                return low + max(0.0, high - low) * (rank - seen) / count
            seen += count
        return self.max_s

    def summary(self) -> LatencySummary:
        """Return counts, sum and quantiles."""
        names = [f"{bound:g}" for bound in self._bounds] + ["inf"]
        return LatencySummary(
            count=self.count,
            sum_s=self.sum_s,
            max_s=self.max_s,
            p50_s=self.quantile(0.5),
            p90_s=self.quantile(0.9),
            p99_s=self.quantile(0.99),
            buckets=dict(zip(names, self._counts, strict=True)),
        )
