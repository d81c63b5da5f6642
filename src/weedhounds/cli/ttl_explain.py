"""``weedhounds ttl explain``: why a record's lifetime is what it is, in words and numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from weedhounds.cli.options import ConfigFile, DataDir, Json, SandboxAt
from weedhounds.cli.settings import Given

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weedhounds.model.keys import RecordKey
    from weedhounds.node import Node
    from weedhounds.query.answer import RecordAnswer
    from weedhounds.ttl.learner import Insight

EXAMPLE = "Example: weedhounds ttl explain product_pricing:weedmaps:1234"
_WAYS = {
    "fixed": "the base lifetime",
    "adaptive": "its own history of changes and requests moves it from the base lifetime",
    "business_hours": "the base lifetime while the shop is open, longer while it is closed",
    "volatility": "its observed change rate moves it from the base lifetime",
    "hybrid": "what was learnt of it weighs calls against stale answers",
}


class Held(msgspec.Struct, frozen=True):
    """The copy held: where, how old, its lifetime, when it expires (negative: ago), how likely it is stale by now."""

    tier: str
    age_s: float
    lifetime_s: float
    expires_in_s: float
    stale_probability: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a lifetime is made of.

    Args:
        base_from: where the base lifetime comes from: the data type, or the setting.
        usual_changes_per_day: assumed of the data type before anything is learnt.
        believed: what the learner believes of the record; ``None`` where it knows nothing of it.
        held: ``None`` where no tier has the record.
    """

    key: str
    data_type: str
    strategy: str
    base_s: float
    base_from: str
    least_s: float
    greatest_s: float
    usual_changes_per_day: float
    believed: Insight | None
    held: Held | None


def explain(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A record key: data_type:origin:id[:variant].")],
    *,
    sandbox: SandboxAt = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Say in words and numbers why a record's lifetime is what it is. Asks no origin.

    What a running node has learnt is in its data folder, at most ten minutes late.
    """
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.model.keys import RecordKey

    parsed = RecordKey.parse(key)
    found = run_async(_explanation(parsed, Given(config, data_dir=data_dir), sandbox))
    Sink().write(to_json(found) if as_json else _text(found).encode("utf-8", "replace"))


async def _explanation(key: RecordKey, given: Given, sandbox: str | None) -> Explanation:
    from weedhounds.cli.nodes import started_node

    async with started_node(given, sandbox) as node:
        return explanation_of(key, node, await node.record(str(key), offline=True))


def explanation_of(key: RecordKey, node: Node, answer: RecordAnswer | None) -> Explanation:
    """Return why the record's lifetime is what it is at ``node``, which answered ``answer`` for it."""
    from weedhounds.ttl.prior import CHANGES_PER_DAY

    strategy, limits, believed = node.insight(str(key))
    name = key.data_type.value
    return Explanation(
        key=str(key),
        data_type=name,
        strategy=strategy.value,
        base_s=limits.base_s,
        base_from="setting cache.lifetimes_s" if name in node.settings.cache.lifetimes_s else "data type",
        least_s=limits.min_s,
        greatest_s=limits.max_s,
        usual_changes_per_day=CHANGES_PER_DAY[key.data_type],
        believed=believed,
        held=_held(answer),
    )


def _held(answer: RecordAnswer | None) -> Held | None:
    if answer is None:
        return None
    from_ = answer.provenance
    lifetime_s = answer.expires_at - from_.fetched_at
    return Held(from_.tier, from_.age_s, lifetime_s, lifetime_s - from_.age_s, from_.stale_probability)


def _text(found: Explanation) -> str:
    from weedhounds.cli.text import one_line

    held = found.held
    key = one_line(found.key)
    first = (
        f"{key} is kept for {_span(held.lifetime_s)}."
        if held is not None
        else f"{key} gets its lifetime when it is fetched."
    )
    lines = [
        first,
        f"Strategy {found.strategy}: {_WAYS[found.strategy]}. Every {found.data_type} {_start(found)}is kept between "
        f"{_span(found.least_s)} and {_span(found.greatest_s)}.",
        *(_belief(found.believed) if found.believed is not None else _prior(found)),
        _held_text(held),
    ]
    return "\n".join(lines) + "\n"


def _start(found: Explanation) -> str:
    """Return from which base lifetime the strategy starts; the learner starts from none."""
    return "" if found.strategy == "hybrid" else f"starts from {_span(found.base_s)} ({found.base_from}) and "


def _prior(found: Explanation) -> Iterator[str]:
    yield (
        f"Nothing was learnt of it yet: such a record is taken to change {_per(found.usual_changes_per_day)} on "
        "average, at all hours alike."
    )


def _belief(believed: Insight) -> Iterator[str]:
    yield (
        f"It is expected to change {_per(believed.changes_per_day)}, give or take a factor of "
        f"{math.exp(believed.spread):.2g}: of {believed.looks:,} looks {believed.changes:,} found a change. It is asked "
        f"for {_per(believed.requests_per_day)}."
    )
    if believed.scheduled_at_min is not None:
        hour, minute = divmod(believed.scheduled_at_min, 60)
        yield (
            f"It changes daily at about {hour:02d}:{minute:02d} local time, with probability "
            f"{believed.schedule_probability:.0%}."
        )
    at_expiry = (
        ""
        if believed.stale_at_expiry is None
        else f"; so a copy fetched now should expire when it is stale with probability {believed.stale_at_expiry:.1%}"
    )
    yield f"A call to its origin is worth {believed.price:.3g} stale answers{at_expiry}."


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


def _per(times_a_day: float) -> str:
    return f"{times_a_day:.3g} times a day" if times_a_day >= 0.5 else f"once in {1 / max(times_a_day, 1e-9):.3g} days"
