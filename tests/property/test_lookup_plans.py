"""Whatever the plan and the tiers: what is found is fresh, of the asked key, and nobody is left asking."""

from __future__ import annotations

import asyncio
from math import inf
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from scripted_tiers import START_S, Desk, PlannedStrategy, ScriptedTier, entry_of, key_of
from weedhounds.errors import TierUnavailable
from weedhounds.sim.virtual_time import run_virtually
from weedhounds.strategies.base import Plan, Step

KEYS = tuple(key_of(str(n), origin) for n in range(3) for origin in ("jane", "leafly"))
NAMES = ("memory", "sql", "peers")
delays = st.sampled_from((0.0, 0.01, 0.3, inf))


class Script(NamedTuple):
    """How one tier behaves: ``ages_s`` by number of the key (lifetime 100 s), whose entry it passes off as which."""

    latency_s: float
    is_down: bool
    ages_s: dict[int, float]
    swaps: dict[int, int]


scripts = st.builds(
    Script,
    latency_s=st.sampled_from((0.0, 0.005, 0.1, 2.0, inf)),
    is_down=st.booleans(),
    ages_s=st.dictionaries(st.integers(0, 5), st.floats(-50.0, 250.0)),
    swaps=st.dictionaries(st.integers(0, 5), st.integers(0, 5)),
)
plans = st.builds(
    Plan,
    steps=st.lists(st.builds(Step, st.sampled_from((*NAMES, "nowhere")), delays), max_size=5).map(tuple),
    origin_after_s=delays,
)


def tier_of(name: str, script: Script) -> ScriptedTier:
    held = {n: entry_of(KEYS[n], age_s=age_s, lifetime_s=100.0) for n, age_s in script.ages_s.items()}
    tier = ScriptedTier(name, *held.values(), latency_s=script.latency_s)
    lies = dict(tier.held)
    lies.update({KEYS[n]: held[other] for n, other in script.swaps.items() if other in held})
    tier.lies = lies
    tier.error = TierUnavailable("down") if script.is_down else None
    return tier


@given(plans, st.tuples(scripts, scripts, scripts), st.lists(st.sampled_from(KEYS), unique=True), st.booleans())
def test_what_is_found_is_fresh_and_of_the_asked_key(
    plan: Plan, scripted: tuple[Script, Script, Script], asked: list[object], has_waitless: bool
) -> None:
    async def main() -> None:
        tiers = [tier_of(name, script) for name, script in zip(NAMES, scripted, strict=True)]
        desk = Desk(PlannedStrategy(plan), *tiers, waitless=("memory",) if has_waitless else ())
        wanted = [key for key in KEYS if key in asked]
        found, held = await desk.lookup.look_up(wanted, desk.trace)
        assert {*found, *held} <= set(wanted)
        for key, each in found.items():
            assert each.entry.key == key
            assert not each.is_stale
            assert each.entry.fetched_at + 100.0 >= START_S
        assert all(each.is_stale and each.entry.key == key for key, each in held.items())
        assert all(entry.key == key for tier in tiers for key, entry in tier.held.items())
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())


@given(plans, st.tuples(scripts, scripts, scripts))
def test_a_plan_that_leaves_nobody_out_finds_what_any_tier_has_that_answers_in_time(
    plan: Plan, scripted: tuple[Script, Script, Script]
) -> None:
    async def main() -> None:
        patient = Plan((*plan.steps, *(Step(name) for name in NAMES)))
        honest = [script._replace(swaps={}) for script in scripted]
        tiers = [tier_of(name, script) for name, script in zip(NAMES, honest, strict=True)]
        found = await Desk(PlannedStrategy(patient), *tiers).found(*KEYS)
        there = {
            KEYS[n]
            for script in honest
            if not script.is_down and script.latency_s < 1.0
            for n, age_s in script.ages_s.items()
            if age_s < 60.0  # fresh for as long as the slowest plan takes
        }
        assert there <= found.keys()

    run_virtually(main())
