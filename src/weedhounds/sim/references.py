"""What is known of a world beside its trace: the costs of its oracle, in a file ``reference.json``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from weedhounds.errors import BadInput
from weedhounds.sim.trace import Trace, read_trace

FILE_NAME = "reference.json"
_MAX_BYTES = 1 << 20


class FixedTable(msgspec.Struct, frozen=True):
    """What the fixed table came to after the warm-up."""

    calls: int
    stale_fraction: float
    hit_ratio: float


class PriceReference(msgspec.Struct, frozen=True):
    """The oracle and the fixed table at one price."""

    oracle_J: float  # noqa: N815 the file's own name
    oracle_calls: int
    oracle_stale_fraction: float
    fixed_table_J: float  # noqa: N815 the file's own name


class Reference(msgspec.Struct, frozen=True):
    """What a world's file of references says."""

    warmup_days: float
    requests_counted: int
    fixed_table: FixedTable
    clairvoyant_calls_at_the_fixed_tables_stale_count: int
    clairvoyant_calls_for_no_stale_serve: int
    by_price: dict[str, PriceReference]

    def oracle(self) -> dict[float, float]:
        """Return the oracle's J by price."""
        return {float(price): each.oracle_J for price, each in self.by_price.items()}


def read_reference(path: Path) -> Reference:
    """Read the file.

    Raises:
        BadInput: it cannot be read, or is no such file.
    """
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=Reference)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadInput(f"{path}: {error}") from error


def read_world(folder: Path) -> tuple[Trace, Reference | None]:
    """Read a world's folder: its trace, and its references where there are any.

    Raises:
        BadInput: a file cannot be read or used.
    """
    outages = folder / "outages.csv"
    trace = read_trace(
        folder / "changes.csv.gz",
        folder / "requests.csv.gz",
        folder / "items.csv",
        outages=outages if outages.exists() else None,
    )
    reference = folder / FILE_NAME
    return trace, read_reference(reference) if reference.exists() else None
