"""Origins as an operator configures them, and what their budgets allow in a day."""

from __future__ import annotations

import pytest

from weedhounds import sources
from weedhounds.config import OriginSettings, Settings, load_settings
from weedhounds.errors import ConfigError
from weedhounds.origins import REFRESH_SHARE, known_origins, live_origins, refresh_budget_per_day
from weedhounds.sources.base import Budget


def configured(**jane: object) -> Settings:
    return load_settings(origins={"jane": jane})


def test_what_is_not_set_is_the_sources_own() -> None:
    for origin, config in known_origins(load_settings()).items():
        assert config == sources.source_class(origin).info().live


def test_an_operator_changes_one_part_of_a_budget_and_keeps_the_rest() -> None:
    jane = known_origins(configured(burst=3, calls_per_day=500))["jane"]
    assert jane.budget == Budget(3, 2.0, 4)
    assert jane.calls_per_day == 500


def test_an_origin_that_is_off_is_known_and_not_asked() -> None:
    settings = configured(enabled=False)
    assert not known_origins(settings)["jane"].enabled
    assert "jane" not in live_origins(settings)


@pytest.mark.parametrize("value", [-1, 1.5, "many"])
def test_a_daily_budget_is_a_whole_number_from_nothing_on(value: object) -> None:
    with pytest.raises(ConfigError, match="calls_per_day"):
        configured(calls_per_day=value)


@pytest.mark.parametrize("name", ["burst", "rate_per_s", "concurrency"])
def test_other_budgets_of_nothing_are_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"origins.jane.{name}"):
        configured(**{name: 0})


def test_refreshing_may_use_the_daily_budget_or_a_share_of_the_rate() -> None:
    origins = known_origins(configured(calls_per_day=500))
    assert refresh_budget_per_day(origins["jane"]) == 500.0
    assert refresh_budget_per_day(origins["leafly"]) == pytest.approx(2.0 * 86_400 * REFRESH_SHARE)


def test_an_origin_that_is_never_asked_has_no_budget_for_refreshing() -> None:
    assert refresh_budget_per_day(known_origins(configured(calls_per_day=0))["jane"]) is None


def test_zero_is_kept_and_not_taken_for_unset() -> None:
    assert OriginSettings(calls_per_day=0).calls_per_day == 0
    assert known_origins(configured(calls_per_day=0))["jane"].calls_per_day == 0
