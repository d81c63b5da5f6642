from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.sim.profiles import STEP_S, STEPS_A_WEEK, Profile, poisson_times, unrolled, week_second
from weedhounds.sim.references import read_world
from weedhounds.sim.specs import KINDS, STANDARD, Outages, Spec, spec_of
from weedhounds.sim.trace import DAY_S, Trace
from weedhounds.sim.world_files import write_world
from weedhounds.sim.worlds import World, draw_world, rates, zipf

WORLDS = Path(__file__).resolve().parents[4] / "shared" / "ttl-worlds"
SMALL = msgspec.structs.replace(
    STANDARD, days=8, stores=2, products=2, labs=1, strains=2, terpenes=2, requests_per_day=200.0
)


@pytest.fixture(scope="module")
def standard() -> World:
    return draw_world(STANDARD, seed=1)


def times_of(world: World, dtype: DataType) -> list[list[float]]:
    pairs = zip(world.trace.items, world.trace.changes, strict=True)
    return [times for item, times in pairs if item.dtype is dtype]


def test_a_profile_has_mean_one_and_its_tops_where_they_are_said_to_be() -> None:
    table = Profile((9.5, 16.0), 1.5, 0.08, 0.6, 0.4).table()
    assert len(table) == STEPS_A_WEEK
    assert statistics.fmean(table) == pytest.approx(1.0)
    day = table[: STEPS_A_WEEK // 7]
    assert max(range(len(day)), key=day.__getitem__) * STEP_S / 3600 == pytest.approx(9.5, abs=0.2)
    assert sum(table[5 * len(day) : 6 * len(day)]) / sum(day) == pytest.approx(0.6)
    assert sum(table[6 * len(day) :]) / sum(day) == pytest.approx(0.4)


def test_a_table_is_unrolled_in_local_time() -> None:
    table = [float(i) for i in range(STEPS_A_WEEK)]
    assert unrolled(table, STANDARD.start, 1.0, 0.0)[:2] == [0.0, 1.0]
    assert unrolled(table, STANDARD.start, 1.0, -3600.0)[0] == STEPS_A_WEEK - 12.0
    assert week_second(STANDARD.start, 7200.0) == 7200.0


def test_poisson_times_follow_their_rates() -> None:
    rates_of_day = [0.0] * 144 + [0.02] * 144
    times = list(poisson_times(random.Random(5), rates_of_day, 1000.0, scale=2.0))
    assert times == sorted(times)
    assert min(times) >= 1000.0 + 144 * STEP_S
    assert len(times) == pytest.approx(144 * STEP_S * 0.04, rel=0.1)


def test_the_same_seed_gives_the_same_world_and_another_another() -> None:
    one, same, other = draw_world(SMALL, 1), draw_world(SMALL, 1), draw_world(SMALL, 2)
    assert one.trace.changes == same.trace.changes
    assert one.trace.request_times == same.trace.request_times
    assert one.truths == same.truths
    assert one.trace.request_times != other.trace.request_times


def test_the_standard_world_has_the_keys_and_requests_of_the_model(standard: World) -> None:
    counts = {dtype: sum(item.dtype is dtype for item in standard.trace.items) for dtype in DataType}
    assert counts == {
        DataType.DISPENSARY_MENU: 12,
        DataType.PRODUCT_PRICING: 96,
        DataType.PROMOTIONS: 12,
        DataType.ANALYTICS_DATA: 12,
        DataType.DISPENSARY_INFO: 12,
        DataType.LAB_RESULTS: 36,
        DataType.STRAIN_DATA: 50,
        DataType.TERPENE_PROFILES: 50,
    }
    assert len(standard.trace.request_times) == pytest.approx(28 * 6500, rel=0.02)
    asked = dict.fromkeys(DataType, 0)
    for key in standard.trace.request_keys:
        asked[standard.trace.items[key].dtype] += 1
    total = len(standard.trace.request_keys)
    for dtype, share in STANDARD.request_shares.items():
        assert asked[dtype] / total == pytest.approx(share, abs=0.004)
    assert {truth.item.tz for truth in standard.truths} <= {-5 * 3600.0, -6 * 3600.0, -7 * 3600.0, -8 * 3600.0}


def test_scheduled_changes_come_at_their_local_time(standard: World) -> None:
    items = [item for item in standard.trace.items if item.dtype is DataType.ANALYTICS_DATA]
    for item, times in zip(items, times_of(standard, DataType.ANALYTICS_DATA), strict=True):
        assert len(times) == 28
        assert all(0.0 <= (t + item.tz) % DAY_S - 3 * 3600.0 <= 1200.0 for t in times)


def test_repricings_change_several_prices_of_a_store_at_once(standard: World) -> None:
    at_once: dict[tuple[str, float], int] = {}
    for item, times in zip(standard.trace.items, standard.trace.changes, strict=True):
        if item.dtype is DataType.PRODUCT_PRICING:
            for t in times:
                at_once[item.source, t] = at_once.get((item.source, t), 0) + 1
    repricings = sum(count > 1 for count in at_once.values())
    # Binomial(8, 0.4): 89 % of the repricings touch two products or more.
    assert repricings == pytest.approx(0.15 * 28 * 12 * 0.894, abs=20)


def test_menus_have_bursts(standard: World) -> None:
    calm = [times for times in times_of(standard, DataType.DISPENSARY_MENU) if len(times) < 500]
    gaps = [later - earlier for times in calm for earlier, later in pairwise(times)]
    assert sum(gap < 600.0 for gap in gaps) / len(gaps) > 0.15


def test_a_change_of_rate_multiplies_the_rate_from_its_time_on() -> None:
    truth = next(
        truth for truth in draw_world(STANDARD, 2).truths if truth.steps and truth.item.dtype is DataType.STRAIN_DATA
    )
    values = rates(truth, STANDARD.start, 28.0)
    at, factor = truth.steps[0]
    assert values[-1] / values[0] == pytest.approx(factor)
    assert 0.3 * 28 <= (at - STANDARD.start) / DAY_S <= 0.7 * 28


@pytest.mark.recorded
def test_the_standard_world_looks_like_the_shared_ones() -> None:
    shared = [read_world(WORLDS / f"seed{seed}")[0] for seed in (1, 2, 3)]
    own = [draw_world(STANDARD, seed).trace for seed in range(1, 4)]

    def changes(traces: Sequence[Trace], dtype: DataType) -> float:
        pairs = [pair for trace in traces for pair in zip(trace.items, trace.changes, strict=True)]
        return sum(len(times) for item, times in pairs if item.dtype is dtype) / len(traces)

    for dtype, within in ((DataType.PRODUCT_PRICING, 0.3), (DataType.PROMOTIONS, 0.2), (DataType.DISPENSARY_MENU, 0.7)):
        assert changes(own, dtype) == pytest.approx(changes(shared, dtype), rel=within)
    assert [(item.key, item.dtype) for item in own[0].items if "price" in item.key or "info" in item.key] == [
        (item.key, item.dtype) for item in shared[0].items if "price" in item.key or "info" in item.key
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn_small(kind: str) -> None:
    small = {"days": 8, "stores": 2, "products": 2, "labs": 1, "strains": 2, "terpenes": 2, "requests_per_day": 100.0}
    spec: Spec = msgspec.structs.replace(KINDS[kind], **small)
    world = draw_world(spec, seed=4)
    assert world.trace.request_times
    assert all(truth.change_rate >= 0.0 for truth in world.truths)
    assert all(time < spec.start + 8 * DAY_S for times in world.trace.changes for time in times)


def test_a_kind_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(BadInput, match="'odd'; there are standard, fast"):
        spec_of("odd")


def test_zipf_weights_sum_to_one_and_fall() -> None:
    weights = zipf(4, 1.0)
    assert sum(weights) == pytest.approx(1.0)
    assert weights[0] / weights[3] == pytest.approx(4.0)


def test_a_written_world_reads_back_the_same(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(SMALL, outages=Outages(per_day=1.0))
    world = draw_world(spec, seed=5)
    paths = write_world(world, tmp_path / "new" / "world", has_oracle=False)
    assert [path.name for path in paths] == ["changes.csv.gz", "requests.csv.gz", "items.csv", "outages.csv"]
    trace, reference = read_world(tmp_path / "new" / "world")
    assert reference is None
    assert trace.items == world.trace.items
    assert trace.changes == world.trace.changes
    assert trace.request_times == world.trace.request_times
    assert trace.request_keys == world.trace.request_keys
    assert trace.outages == world.trace.outages


def test_the_files_of_a_seed_have_the_same_bytes_and_the_oracles_costs(tmp_path: Path) -> None:
    world = draw_world(SMALL, seed=5)
    first = [path.read_bytes() for path in write_world(world, tmp_path / "a")]
    again = [path.read_bytes() for path in write_world(draw_world(SMALL, seed=5), tmp_path / "b")]
    assert first == again
    reference = read_world(tmp_path / "a")[1]
    assert reference is not None
    assert all(0.0 < each.oracle_J < each.fixed_table_J for each in reference.by_price.values())
    assert set(reference.oracle()) == {0.25, 1.0, 4.0}


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot write"):
        write_world(draw_world(SMALL, 1), tmp_path / "file" / "world", has_oracle=False)


@pytest.mark.parametrize("text", ["{", '{"warmup_days": 7}', "[]"])
def test_references_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    write_world(draw_world(SMALL, 1), tmp_path, has_oracle=False)
    (tmp_path / "reference.json").write_text(text)
    with pytest.raises(BadInput, match=r"reference\.json"):
        read_world(tmp_path)
