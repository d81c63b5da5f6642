"""The page about the sandbox names what there is, with the numbers of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from weedhounds.sandbox import SandboxConfig, vocabulary
from weedhounds.sandbox.catalogue import STRAIN_EXPONENT, STRAINS
from weedhounds.sandbox.cities import CITIES
from weedhounds.sandbox.config import ORIGINS
from weedhounds.sandbox.control import ROUTES
from weedhounds.sandbox.gate import FAULTS, LOG_CALLS
from weedhounds.sandbox.shops import LISTED_SHARES, MENU_LEAST, MENU_MEDIAN, MENU_MOST, MENU_SIGMA
from weedhounds.sandbox.stock import SOLD_OUT_FRAC, SPECIAL_FRAC

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "sandbox.md").read_text()


def test_every_option_route_fault_and_origin_is_documented() -> None:
    names = [*SandboxConfig.__struct_fields__, *FAULTS, *ORIGINS]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
    assert [route for route in ROUTES if f"/_sandbox/{route}" not in PAGE] == []


@pytest.mark.parametrize(
    "said",
    [
        f"{LOG_CALLS:,} calls",
        f"{MENU_LEAST} to {MENU_MOST} products: lognormal, median {MENU_MEDIAN}, log standard deviation {MENU_SIGMA}",
        f"exponent {STRAIN_EXPONENT} over {len(STRAINS)} strains",
        f"{len(vocabulary.BRAND_ROWS)} brands",
        f"{SPECIAL_FRAC:.0%} of the shelves".replace("%", " %"),
        f"{SOLD_OUT_FRAC:.0%} of the variants".replace("%", " %"),
        f"{len(CITIES)} cities",
        f"{LISTED_SHARES['weedmaps']:.1%} at `weedmaps`".replace("%", " %"),
        f"{LISTED_SHARES['leafly']:.0%} at `leafly`".replace("%", " %"),
        f"{LISTED_SHARES['jane']:.0%} at `jane`".replace("%", " %"),
    ],
)
def test_a_number_on_the_page_is_the_codes(said: str) -> None:
    assert said in PAGE
