"""What a sandbox is started with."""

from __future__ import annotations

from typing import Literal

import msgspec

from weedhounds.errors import BadInput
from weedhounds.model.provenance import ShareScope

ORIGINS = ("dutchie", "jane", "weedmaps", "leafly", "socrata_ct")
"""The origins that the market is served as; each answers below ``/{origin}``."""

ShareMode = Literal["mixed", "never", "circle", "public"]
BudgetMode = Literal["default", "real"]


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to simulate the market; the same values give the same market.

    Args:
        seed: chooses the market; any integer.
        latency_median_ms, latency_p99_ms: of the lognormal that each call's latency is drawn
            from; a median of 0 answers at once.
        error_frac: share of calls, 0..1, that answer 503 after their latency.
        speed: seconds of market time per real second, > 0.
        share: the origins' share scope: ``mixed``, or one scope for all.
        budgets: ``default`` (burst 80, 40 requests/s, concurrency 32), or ``real`` (the careful
            ones that live origins are asked with).
        start_s: Unix time at which the market's clock starts; default: the machine's time.
        host, port: where to listen; port 0 takes a free one.
    """

    seed: int = 1
    latency_median_ms: float = 300.0
    latency_p99_ms: float = 1200.0
    error_frac: float = 0.0
    speed: float = 1.0
    share: ShareMode = "mixed"
    budgets: BudgetMode = "default"
    start_s: float | None = None
    host: str = "127.0.0.1"
    port: int = 8430

    def check(self) -> SandboxConfig:
        """Return the same configuration.

        Raises:
            BadInput: a value is out of its range; one line that names it.
        """
        if not 0 <= self.latency_median_ms <= 600_000:
            raise BadInput(f"latency_median_ms must be 0 to 600000, not {self.latency_median_ms:g}")
        if not 0 <= self.latency_p99_ms <= 600_000:
            raise BadInput(f"latency_p99_ms must be 0 to 600000, not {self.latency_p99_ms:g}")
        if not 0 <= self.error_frac <= 1:
            raise BadInput(f"error_frac must be 0 to 1, not {self.error_frac:g}")
        if not 0 < self.speed <= 100_000:
            raise BadInput(f"speed must be above 0 and at most 100000, not {self.speed:g}")
        if self.start_s is not None and not 0 <= self.start_s <= 32_503_680_000:
            raise BadInput(f"start_s must be a time from 1970 to 3000, not {self.start_s:g}")
        if self.share not in ("mixed", *(scope.value for scope in ShareScope)):
            raise BadInput(f"share must be mixed, never, circle or public, not {self.share!r}")
        if self.budgets not in ("default", "real"):
            raise BadInput(f"budgets must be default or real, not {self.budgets!r}")
        if not 0 <= self.port <= 65535:
            raise BadInput(f"port must be 0 to 65535, not {self.port}")
        return self
