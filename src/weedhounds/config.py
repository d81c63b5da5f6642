"""Settings: the only place of defaults.

Order of strength: defaults < ``weedhounds.toml`` < ``WEEDHOUNDS_*`` environment (``__`` between
levels) < arguments. Unknown names are refused. Frozen once made.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weedhounds.errors import ConfigError

ENV_PREFIX = "WEEDHOUNDS_"
DEBUG_VARIABLE = "WEEDHOUNDS_DEBUG"
"""No setting: shows tracebacks of the command line."""
CONFIG_FILE = "weedhounds.toml"
RETENTION_DAYS = 90.0
"""How long changes of prices are kept where nothing else is set, days."""


HistoryType = Literal["product_pricing"]
"""The data types of which changes are kept."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Where the HTTP API listens."""

    host: str = Field("127.0.0.1", description="Address of the HTTP API; anything but loopback needs public_read.")
    port: int = Field(8420, ge=0, le=65535, description="Port of the HTTP API; 0 takes a free one.")
    public_read: bool = Field(False, description="Allow reading from other machines without tokens.")


class CacheSettings(_Section):
    """The memory tier and how long entries may be served."""

    memory_bytes: int = Field(128 * 2**20, ge=1 << 20, description="Byte budget of the memory tier.")
    read_strategy: Literal["local_first", "dht_first", "parallel", "intelligent"] = Field(
        "local_first", description="In which order the tiers are asked: see docs/strategies.md."
    )
    call_wait_s: float = Field(
        0.5, ge=0, le=60, description="How long the strategy intelligent waits at most to spare a call of price 1, seconds."
    )  # fmt: skip
    stale_if_error_frac: float = Field(
        6.0, ge=0, le=20, description="How far past expiry an entry may be served while its origin fails, as a share of its lifetime or, where that is longer, of the base lifetime of its data type."
    )  # fmt: skip
    write_behind_s: float = Field(
        0.2, gt=0, le=10, description="Longest time a new entry waits to be written to SQL, seconds."
    )
    stale_while_revalidate_frac: float = Field(
        0.02, ge=0, le=10, description="How far past expiry an entry is served at once while it is fetched anew, as a share of its lifetime."
    )  # fmt: skip
    strategies: dict[str, str] = Field(
        default_factory=dict,
        description="How lifetimes are chosen, by data type: fixed, adaptive, business_hours, volatility or hybrid, the default.",
    )
    lifetimes_s: dict[str, float] = Field(
        default_factory=dict, description="Base lifetime by data type, seconds, from which all strategies but hybrid start; bounded by the type's least and greatest."
    )  # fmt: skip
    least_lifetimes_s: dict[str, float] = Field(
        default_factory=dict, description="Least lifetime by data type, seconds, instead of the type's own."
    )
    greatest_lifetimes_s: dict[str, float] = Field(
        default_factory=dict, description="Greatest lifetime by data type, seconds, instead of the type's own."
    )
    refresh_ahead: bool = Field(
        True, description="Whether the most wanted entries are fetched anew shortly before they expire, within the origins' budgets."
    )  # fmt: skip
    refresh_keys: int = Field(2_000, ge=1, le=16_384, description="How many keys refresh-ahead keeps fresh at most.")
    call_price: float = Field(
        1.0, gt=0, le=50, description="How many stale answers a call to an origin is worth at least; more where its budget is short."
    )  # fmt: skip


def _retention_days() -> dict[HistoryType, float]:
    return {"product_pricing": RETENTION_DAYS}


class HistorySettings(_Section):
    """The observed changes of prices and stock."""

    enabled: bool = Field(True, description="Whether observed changes of price and stock are kept.")
    retention_days: dict[HistoryType, Annotated[float, Field(gt=0, le=36_500)]] = Field(
        default_factory=_retention_days,
        description="How long changes are kept after they were seen, by data type, days.",
    )

    @property
    def retention_s(self) -> float:
        """Return how long changes of prices are kept, seconds."""
        return self.retention_days.get("product_pricing", RETENTION_DAYS) * 86_400.0


class DatabaseSettings(_Section):
    """The SQL tier."""

    url: str | None = Field(
        None,
        description="sqlite:///PATH or mysql://USER:PASSWORD@HOST[:PORT]/DATABASE; default: weedhounds.sqlite3 in the data folder.",
        repr=False,
    )  # fmt: skip
    busy_timeout_s: float = Field(2.0, gt=0, le=60, description="How long a locked database is waited for, seconds.")
    timeout_s: float = Field(
        5.0, gt=0, le=600, description="Longest time of one transaction on a MySQL or MariaDB server, seconds."
    )
    pool_size: int = Field(4, ge=1, le=64, description="Connections for reading to a MySQL or MariaDB server.")
    max_bytes: int = Field(
        4 * 2**30, ge=1 << 20, description="What entries may take; beyond it those that are spent or least valuable leave, bytes."
    )  # fmt: skip


class FetchSettings(_Section):
    """How origins are asked."""

    timeout_s: float = Field(10.0, gt=0, le=120, description="Longest time of one call, seconds.")
    max_body_bytes: int = Field(32 * 2**20, ge=1024, description="Largest answer that is read, decompressed bytes.")
    attempts: int = Field(3, ge=1, le=10, description="Tries of one call, the first included.")
    retry_base_s: float = Field(
        0.25, gt=0, le=10, description="Wait before the first retry, seconds; doubles, with jitter."
    )
    hedge_share: float = Field(
        0.05, ge=0, le=0.5, description="Share of calls that may be sent a second time where they take unusually long; 0 for none."
    )  # fmt: skip
    user_agent: str = Field("WeedHounds/0.1", description="How the node names itself to origins.")
    pool_workers: int = Field(
        1, ge=0, le=256, description="Job processes that parse large answers; 0 parses in a thread."
    )
    inline_parse_bytes: int = Field(64 * 1024, ge=0, description="Largest answer parsed on the event loop, bytes.")


class HuntSettings(_Section):
    """Defaults and bounds of the main job."""

    radius_km: float = Field(25.0, gt=0, le=500, description="Radius of a hunt, kilometres.")
    deadline_s: float = Field(5.0, gt=0, le=120, description="Deadline of a hunt, seconds.")
    limit: int = Field(200, ge=1, le=1000, description="Offers in one answer over HTTP.")
    max_shops: int = Field(500, ge=1, le=5000, description="Most shops of all origins that one hunt asks.")


class ClockSettings(_Section):
    """Which time facts live in."""

    source: Literal["system", "sandbox"] = Field(
        "system", description="system, or sandbox: the sandbox's own, maybe scaled, clock."
    )


class OriginSettings(_Section):
    """What an operator changes of one origin; everything left out keeps the source's default."""

    enabled: bool | None = Field(None, description="Whether hunts ask it.")
    base_url: str | None = Field(None, description="Base address, no trailing slash.")
    options: dict[str, str] = Field(
        default_factory=dict, description="What changes without notice: page sizes, hashes, index names."
    )
    keys: dict[str, str] = Field(
        default_factory=dict, description="Secrets that live calls need; never logged.", repr=False
    )
    burst: int | None = Field(None, ge=1, description="Calls at once from a full bucket.")
    rate_per_s: float | None = Field(None, gt=0, description="Calls a second that refill the bucket.")
    concurrency: int | None = Field(None, ge=1, description="Calls in flight.")
    calls_per_day: int | None = Field(
        None, ge=0, description="Most calls in any 24 hours, counted from the start of the node; 0: it is never asked."
    )
    share: Literal["never", "circle", "public"] | None = Field(
        None, description="Who may be given its data; circle is the operator's claim of a right."
    )
    storage_limit_s: float | None = Field(None, gt=0, description="Seconds after which its entries must be gone.")
    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description="Currency of prices that state none.")


class LogSettings(_Section):
    """Logging to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is written.")
    format: Literal["console", "json"] = Field("console", description="console, or json lines.")


class Settings(_Section):
    """All settings of a node. Use :func:`load_settings` to read file and environment."""

    data_dir: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "weedhounds",
        description="Folder of everything the node keeps.",
    )
    sandbox_url: str | None = Field(
        None, description="Address of a running sandbox: all origins are reached there instead of live."
    )
    server: ServerSettings = ServerSettings()
    cache: CacheSettings = CacheSettings()
    history: HistorySettings = HistorySettings()
    database: DatabaseSettings = DatabaseSettings()
    fetch: FetchSettings = FetchSettings()
    hunt: HuntSettings = HuntSettings()
    clock: ClockSettings = ClockSettings()
    log: LogSettings = LogSettings()
    origins: dict[str, OriginSettings] = Field(default_factory=dict, description="By origin id.")


def load_settings(file: Path | None = None, **arguments: Any) -> Settings:
    """Return the settings from defaults, file, environment and arguments, in rising strength.

    Args:
        file: a TOML file; default ``weedhounds.toml`` in the working folder, if there.
        arguments: nested mappings; values of ``None`` are left out.

    Raises:
        ConfigError: a file that cannot be read, an unknown name, a value out of range; one line.
    """
    merged: dict[str, Any] = {}
    path = file or Path(CONFIG_FILE)
    if file is not None or path.is_file():
        merged = _read_file(path)
    merged = _merge(merged, _environment(os.environ))
    merged = _merge(merged, _without_none(arguments))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read settings file {path}: {error}") from error


def _environment(environ: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name == DEBUG_VARIABLE:
            continue
        *levels, last = name[len(ENV_PREFIX) :].lower().split("__")
        at: Any = found
        for level in levels:
            at = at.setdefault(level, {})
            if not isinstance(at, dict):
                raise ConfigError(f"{name} names a value below {level}, which another variable sets as a whole")
        at[last] = text
    return found


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _without_none(tree: dict[str, Any]) -> dict[str, Any]:
    cleaned = {k: _without_none(v) if isinstance(v, dict) else v for k, v in tree.items() if v is not None}
    return {k: v for k, v in cleaned.items() if v != {}}


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    why = "unknown setting" if first["type"] == "extra_forbidden" else first["msg"]
    return f"setting {name}: {why}"
