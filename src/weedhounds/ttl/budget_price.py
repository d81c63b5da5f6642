"""The price of a call, from the origin's budget: its shadow price, found by trial. Pure.

Each call raises the logarithm of the origin's price a little; time lowers it at the rate at which the
budget allows calls. So the price rises while more calls leave than the budget allows and falls while
fewer do, until lifetimes are such that the calls just fit.
"""

from __future__ import annotations

import math

import msgspec

from weedhounds.errors import ConfigError

START = 1.0
LEAST = 0.1
MOST = 50.0
_DAILY = 0.5
"""How far a day of twice the budget moves the logarithm of the price."""
_MOST_PAUSE_S = 7 * 86_400.0
MAX_ORIGINS = 256
"""The price of any further origin stays at the start."""


class _Account(msgspec.Struct):
    log_price: float
    at: float


class BudgetPrices:
    """The present price of a call to each origin.

    Args:
        calls_per_day: what each origin's budget allows for keeping records fresh; an origin without a
            budget has the start price.
        start: the price at the start.
        least: below this the price never falls, however much budget is left.

    Raises:
        ConfigError: a budget, or one of the prices, is not a positive number.
    """

    def __init__(self, calls_per_day: dict[str, float], *, start: float = START, least: float = LEAST) -> None:
        for price in (start, least):
            if not (math.isfinite(price) and price > 0.0):
                raise ConfigError(f"the price of a call is {price}: it must be a positive number")
        self._least = math.log(min(least, MOST))
        self._start = min(math.log(MOST), max(math.log(start), self._least))
        for origin, budget in calls_per_day.items():
            if not (math.isfinite(budget) and budget > 0.0):
                raise ConfigError(f"the budget of {origin} is {budget}: it must be a positive number", origin=origin)
        self._budgets = dict(calls_per_day)
        self._accounts: dict[str, _Account] = {}

    def called(self, origin: str, now: float) -> None:
        """Note a call to ``origin``, failed or not."""
        budget = self._budgets.get(origin)
        if budget is None:
            return
        account = self._settled(origin, budget, now)
        if account is not None:
            account.log_price = min(math.log(MOST), account.log_price + _DAILY / budget)

    def price(self, origin: str, now: float) -> float:
        """Return the price of a call to ``origin``, in stale serves."""
        budget = self._budgets.get(origin)
        account = self._settled(origin, budget, now) if budget is not None else None
        return math.exp(self._start if account is None else account.log_price)

    def _settled(self, origin: str, budget: float, now: float) -> _Account | None:
        account = self._accounts.get(origin)
        if account is None:
            if len(self._accounts) >= MAX_ORIGINS:
                return None
            account = self._accounts[origin] = _Account(self._start, now)
        passed_s = min(_MOST_PAUSE_S, max(0.0, now - account.at))
        account.at = now
        account.log_price = max(self._least, account.log_price - _DAILY * passed_s / 86_400.0)
        return account
