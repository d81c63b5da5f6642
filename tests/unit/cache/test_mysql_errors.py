"""What a server says becomes one line that names it and, where there is one, the cure."""

from __future__ import annotations

import asyncmy
import pytest

from weedhounds.cache.mysql_errors import is_in_step, is_lost, is_passing, opening_error, unavailable
from weedhounds.errors import ConfigError, TierUnavailable

PLACE = "mysql://h:3306/d"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncmy.OperationalError(2013, "Lost connection"), "cannot be reached (Lost connection)"),
        (ConnectionResetError(104, "Connection reset by peer"), "cannot be reached (Connection reset by peer)"),
        (TimeoutError(), "gave no answer in time (database.timeout_s)"),
        (asyncmy.OperationalError(1114, "The table 'entries' is full"), "cannot grow: a table is full"),
        (asyncmy.OperationalError(3, "Error writing file (Errcode: 28)"), "cannot grow: the disk is full"),
        (asyncmy.OperationalError(1030, 'Got error 168 "errno: 28"'), "cannot grow: the disk is full"),
        (asyncmy.OperationalError(1290, "running with --read-only"), "is read-only"),
        (asyncmy.ProgrammingError(1146, "Table 'd.uses' doesn't exist"), "another schema than expected"),
        (asyncmy.OperationalError(1142, "INSERT command denied"), "does not allow this user what is needed"),
        (asyncmy.OperationalError(1040, "Too many connections"), "no connection left (max_connections)"),
        (asyncmy.OperationalError(9999, "something\nodd"), "failed: something odd"),
        (ValueError(), "failed: ValueError"),
    ],
)
def test_an_error_is_told_in_one_line(error: Exception, said: str) -> None:
    told = unavailable(PLACE, error, 0.5)
    assert isinstance(told, TierUnavailable)
    assert str(told).startswith(f"{PLACE} ")
    assert said in str(told)
    assert "\n" not in str(told)
    assert told.elapsed_s == 0.5


def test_damage_is_not_worth_trying_again() -> None:
    assert not unavailable(PLACE, asyncmy.OperationalError(1877, "corrupted"), 0.0).retryable
    assert unavailable(PLACE, asyncmy.OperationalError(2006, "gone"), 0.0).retryable


def test_what_is_typed_stays_as_it_is() -> None:
    error = TierUnavailable("typed")
    assert unavailable(PLACE, error, 0.0) is error
    mended = ConfigError("typed")
    assert opening_error(PLACE, mended, 0.0) is mended


@pytest.mark.parametrize("code", [1044, 1045, 1049, 1698])
def test_what_a_user_can_mend_is_a_setting(code: int) -> None:
    assert isinstance(opening_error(PLACE, asyncmy.OperationalError(code, "no"), 0.0), ConfigError)


def test_kinds_of_errors_are_told_apart() -> None:
    deadlock, locked, lost = (asyncmy.OperationalError(code, "x") for code in (1213, 1205, 2006))
    assert [is_passing(error) for error in (deadlock, locked, lost)] == [True, False, False]
    assert [is_in_step(error) for error in (deadlock, locked, lost)] == [True, True, False]
    assert [is_lost(error) for error in (deadlock, locked, lost)] == [False, False, True]
    assert is_lost(asyncmy.InternalError("Packet sequence number wrong"))
    assert not is_lost(ValueError("x"))
