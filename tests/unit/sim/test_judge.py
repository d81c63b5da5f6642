from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from small_traces import constant, trace_of
from weedhounds.errors import BadInput, ConfigError
from weedhounds.sim.chart import chart
from weedhounds.sim.estimators import estimator_families, gamma_poisson
from weedhounds.sim.judge import Family, Judge, fixed_table, scaled
from weedhounds.sim.policy_file import load_family
from weedhounds.sim.references import PriceReference, Reference, read_world
from weedhounds.sim.replay import Observation, Policy, replay
from weedhounds.sim.report import judge_all
from weedhounds.sim.rules import rule_families
from weedhounds.sim.specs import STANDARD
from weedhounds.sim.world_files import reference_of
from weedhounds.sim.worlds import World, draw_world

WORLDS = Path(__file__).resolve().parents[4] / "shared" / "ttl-worlds"
SMALL = msgspec.structs.replace(
    STANDARD, days=10, stores=3, products=3, labs=1, strains=3, terpenes=3, requests_per_day=900.0
)


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(SMALL, seed=2)


@pytest.fixture(scope="module")
def judge(world: World) -> Judge:
    return Judge(world.trace, oracle={1.0: 0.2})


class Telling:
    """The Gamma-Poisson learner, telling half for every copy."""

    def __init__(self, price: float) -> None:
        self._policy = gamma_poisson(price)

    def __call__(self, obs: Observation) -> float:
        return self._policy(obs)

    def stale_probability(self, key: str, now: float) -> float:
        return 0.5


def test_a_verdict_compares_with_oracle_fixed_table_and_clairvoyant(judge: Judge) -> None:
    verdict = judge.verdict(Family("telling", Telling))
    assert [each.price for each in verdict.by_price] == [0.25, 1.0, 4.0]
    assert [each.over_oracle is None for each in verdict.by_price] == [True, False, True]
    middle = verdict.by_price[1]
    assert middle.over_oracle == pytest.approx(middle.total.j / 0.2)
    assert middle.over_clairvoyant is not None
    assert middle.over_clairvoyant >= 1.0
    assert verdict.calls_share is not None
    assert verdict.stale_at_calls is not None
    assert 0.0 < verdict.calls_share < 1.0
    assert verdict.stale_at_calls < judge.fixed.stale_fraction
    assert verdict.calibration is not None
    assert verdict.calibration.brier == pytest.approx(0.25)
    assert verdict.calibration.serves == sum(c.serves for c in verdict.calibration_by_type.values())


def test_the_fixed_table_needs_all_of_its_own_calls(judge: Judge) -> None:
    verdict = judge.verdict(Family("fixed", scaled(fixed_table), "multiplier"))
    assert verdict.calls_share == pytest.approx(1.0, abs=0.02)
    assert verdict.stale_at_calls == pytest.approx(judge.fixed.stale_fraction, rel=0.02)


def test_a_rule_gets_the_best_multiplier_in_hindsight(world: World, judge: Judge) -> None:
    make = scaled(fixed_table)
    verdict = judge.verdict(Family("fixed", make, "multiplier"), compares_fixed=False)
    for each in verdict.by_price:
        others = (2.0**step for step in range(-4, 9))
        assert all(each.total.j <= replay(world.trace, make(dial)).total.cost(each.price) for dial in others)
    dials = [each.dial for each in verdict.by_price]
    assert dials == sorted(dials)


def test_a_policy_without_a_dial_has_one_operating_point(judge: Judge) -> None:
    verdict = judge.verdict(Family("hourly", lambda _: constant(3600.0), "none"))
    assert len({each.total.calls for each in verdict.by_price}) == 1
    assert (verdict.calls_share, verdict.stale_at_calls) == (None, None)


def test_a_policy_that_can_never_reach_the_fixed_tables_point_is_judged_by_its_nearest(judge: Judge) -> None:
    verdict = judge.verdict(Family("never", lambda price: constant(math.inf)))
    assert verdict.calls_share is not None
    assert verdict.calls_share < 0.01


def test_where_nothing_is_stale_there_is_no_ratio_to_the_clairvoyant() -> None:
    judge = Judge(trace_of({}, {"a": [0.0, 8 * 86_400.0]}))
    verdict = judge.verdict(Family("always", lambda price: constant(0.0)))
    assert verdict.by_price[0].over_clairvoyant is None


@pytest.mark.parametrize("family", [*estimator_families(), *rule_families()], ids=lambda f: f.name)
def test_every_baseline_beats_calling_at_every_request(world: World, family: Family) -> None:
    judge = Judge(world.trace, prices=(1.0,))
    always = judge.verdict(Family("always", lambda _: constant(0.0)), compares_fixed=False).by_price[0]
    found = judge.verdict(family, compares_fixed=False).by_price[0]
    assert found.total.j < always.total.j
    assert 0 < found.total.calls < always.total.calls


@pytest.mark.recorded
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_models_own_figure_for_the_gamma_poisson_learner_comes_out() -> None:
    trace, reference = read_world(WORLDS / "seed3")
    assert reference is not None
    gamma = next(family for family in estimator_families() if family.name == "Gamma-Poisson")
    judge = Judge(trace, oracle=reference.oracle())
    over = [each.over_oracle for each in judge.verdict(gamma, compares_fixed=False).by_price]
    assert over == pytest.approx([1.26, 1.27, 1.22], abs=0.03)


def _reference(world: World) -> Reference:
    fixed = reference_of(world, prices=())
    return msgspec.structs.replace(fixed, by_price={"1.0": PriceReference(0.2, 10, 0.1, 0.4)})


def test_a_report_holds_trace_bounds_and_verdicts_and_can_be_drawn(world: World) -> None:
    steps: list[tuple[int, int]] = []
    families = [Family("a <b> & c", lambda p: constant(3600.0 * p)), Family("x" * 50, lambda _: constant(60.0), "none")]
    report = judge_all(
        world.trace, families, reference=_reference(world), progress=lambda done, known: steps.append((done, known))
    )
    assert steps == [(0, 2), (1, 2)]
    assert [verdict.name for verdict in report.verdicts] == ["a <b> & c", "x" * 50]
    assert list(report.oracle) == ["1.0"]
    assert report.clairvoyant.curve[-1] == (report.clairvoyant.calls_for_no_stale_serve, 0.0)
    calls = [count for count, _ in report.clairvoyant.curve]
    assert calls == sorted(set(calls))
    drawing = ET.fromstring(chart(report))
    texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "a <b> & c" in texts
    assert "clairvoyant (out of reach)" in texts
    assert msgspec.json.decode(msgspec.json.encode(report))["trace"]["keys"] == len(world.trace.items)


def test_an_empty_report_can_be_drawn() -> None:
    report = judge_all(trace_of({}, {"a": [0.0]}), [])
    assert report.clairvoyant.curve == ((0, 0.0),)
    ET.fromstring(chart(report))


def test_a_failing_policy_is_named(world: World) -> None:
    def make(price: float) -> Policy:
        return constant(math.nan)

    with pytest.raises(ConfigError, match="call 1 "):
        judge_all(world.trace, [Family("nan", make)])


SOURCE = """
class Policy:
    def __init__(self, price):
        self.price = price
    def __call__(self, obs):
        return 60.0 * self.price

def make(price):
    return Policy(price)

def made():
    return Policy(7.0)

def broken(price):
    raise ValueError("no")

def odd(price):
    return 5

number = 4
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def seen() -> Observation:
    return Observation("a", "promotions", "s", 0.0, 1.0, 0.0, None, True, None, None, 1, 1, None, {})


def test_a_factory_is_loaded_from_a_file_with_its_dial(policy_file: Path) -> None:
    priced = load_family(f"{policy_file}:make")
    assert (priced.dial, priced.make(2.0)(seen())) == ("price", 120.0)
    assert load_family(str(policy_file)).make(1.0)(seen()) == 60.0
    one_point = load_family(f"{policy_file}:made")
    assert (one_point.dial, one_point.make(2.0)(seen())) == ("none", 420.0)


def test_a_factory_is_loaded_from_a_module() -> None:
    assert load_family("weedhounds.sim.estimators:gamma_poisson").dial == "price"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("gone.py:make", "there is no file"),
        ("no.such.module:make", "cannot load no.such.module: ModuleNotFoundError"),
        ("{file}:nothing", "has no factory 'nothing'"),
        ("{file}:number", "has no factory 'number'"),
        ("{file}:broken", "makes no policy: ValueError: no"),
        ("{file}:odd", "made int, no policy"),
        ("{bad}:make", "cannot load .*: SyntaxError"),
    ],
)
def test_what_makes_no_policy_is_refused(policy_file: Path, named: str, told: str) -> None:
    bad = policy_file.with_name("bad.py")
    bad.write_text("def make(:\n")
    with pytest.raises(BadInput, match=told):
        load_family(named.format(file=policy_file, bad=bad))
