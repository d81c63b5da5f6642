"""``weedhounds ttl explain``: why a record's lifetime is what it is, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from weedhounds.cli.options import ConfigFile, DataDir, Json, SandboxAt
from weedhounds.cli.settings import Given

if TYPE_CHECKING:
    from weedhounds.config import Settings
    from weedhounds.model.keys import RecordKey
    from weedhounds.query.answer import RecordAnswer

EXAMPLE = "Example: weedhounds ttl explain product_pricing:weedmaps:1234"


class Held(msgspec.Struct, frozen=True):
    """The copy held: where, how old, when it expires (negative: ago), how likely it is stale by now."""

    tier: str
    age_s: float
    expires_in_s: float
    stale_probability: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a lifetime is made of.

    Args:
        base_from: where the base lifetime comes from: the data type, or the setting.
        changes_per_day: assumed, of the data type.
        stale_probability_at_expiry: what that assumption makes of a copy as old as its lifetime.
        held: ``None`` where no tier has the record.
    """

    key: str
    data_type: str
    strategy: str
    base_s: float
    base_from: str
    least_s: float
    greatest_s: float
    lifetime_s: float
    changes_per_day: float
    stale_probability_at_expiry: float
    held: Held | None


def explain(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A record key: data_type:origin:id[:variant].")],
    *,
    sandbox: SandboxAt = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Say in words and numbers why a record's lifetime is what it is. Asks no origin."""
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.model.keys import RecordKey

    parsed = RecordKey.parse(key)
    found = run_async(_explanation(parsed, Given(config, data_dir=data_dir), sandbox))
    Sink().write(to_json(found) if as_json else _text(found).encode("utf-8", "replace"))


async def _explanation(key: RecordKey, given: Given, sandbox: str | None) -> Explanation:
    from weedhounds.cli.nodes import started_node

    async with started_node(given, sandbox) as node:
        answer = await node.record(str(key), offline=True)
        return explanation_of(key, node.settings, answer)


def explanation_of(key: RecordKey, settings: Settings, answer: RecordAnswer | None) -> Explanation:
    """Return why the record's lifetime is what it is under ``settings``."""
    from weedhounds.model.datatypes import LIFETIMES
    from weedhounds.ttl.fixed import fixed_lifetime
    from weedhounds.ttl.prior import CHANGES_PER_DAY, stale_probability

    overrides = settings.cache.lifetimes_s
    limits = LIFETIMES[key.data_type]
    lifetime_s = fixed_lifetime(key.data_type, overrides)
    name = key.data_type.value
    return Explanation(
        key=str(key),
        data_type=name,
        strategy="fixed",
        base_s=overrides.get(name, limits.base_s),
        base_from="setting cache.lifetimes_s" if name in overrides else "data type",
        least_s=limits.min_s,
        greatest_s=limits.max_s,
        lifetime_s=lifetime_s,
        changes_per_day=CHANGES_PER_DAY[key.data_type],
        stale_probability_at_expiry=stale_probability(key.data_type, lifetime_s),
        held=_held(answer),
    )


def _held(answer: RecordAnswer | None) -> Held | None:
    if answer is None:
        return None
    from_ = answer.provenance
    expires_in_s = answer.expires_at - from_.fetched_at - from_.age_s
    return Held(from_.tier, from_.age_s, expires_in_s, from_.stale_probability)


def _text(found: Explanation) -> str:
    from weedhounds.cli.text import one_line

    lines = [
        f"{one_line(found.key)} is kept for {_span(found.lifetime_s)}.",
        f"Strategy {found.strategy}: every {found.data_type} starts from {_span(found.base_s)} ({found.base_from}), "
        f"kept between {_span(found.least_s)} and {_span(found.greatest_s)}.",
        "Each fetch draws it a little around that, so that what came together does not expire together.",
        f"Such a record is taken to change {_per(found.changes_per_day)} on average, at all hours alike: a copy "
        f"as old as its lifetime is stale with probability {found.stale_probability_at_expiry:.1%}.",
        _held_text(found.held),
    ]
    return "\n".join(lines) + "\n"


def _held_text(held: Held | None) -> str:
    if held is None:
        return "No tier holds it."
    ends = (
        f"expires in {_span(held.expires_in_s)}"
        if held.expires_in_s > 0
        else f"expired {_span(-held.expires_in_s)} ago"
    )
    return (
        f"The {held.tier} tier holds a copy {_span(held.age_s)} old; it {ends} and is stale by now with "
        f"probability {held.stale_probability:.1%}."
    )


def _span(seconds: float) -> str:
    """Return a duration with two digits or more, in a unit that fits."""
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _per(changes_per_day: float) -> str:
    return f"{changes_per_day:.3g} times a day" if changes_per_day >= 0.5 else f"once in {1 / changes_per_day:.3g} days"
