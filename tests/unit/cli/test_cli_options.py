from __future__ import annotations

import pytest

from weedhounds.cli.options import sandbox_url, with_sandbox_value
from weedhounds.errors import BadInput


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        (["--sandbox"], ["--sandbox=start"]),
        (["--sandbox", "--json"], ["--sandbox=start", "--json"]),
        (["--sandbox", "Blue Dream"], ["--sandbox=start", "Blue Dream"]),
        (["--sandbox", "gummies"], ["--sandbox=start", "gummies"]),
        (["--sandbox", "localhost:8430"], ["--sandbox=localhost:8430"]),
        (["--sandbox", "http://[::1]:8430/"], ["--sandbox=http://[::1]:8430/"]),
        (["--sandbox=http://h:1", "x"], ["--sandbox=http://h:1", "x"]),
        (["x", "--", "--sandbox"], ["x", "--", "--sandbox"]),
        (["--near", "Denver, CO"], ["--near", "Denver, CO"]),
    ],
)
def test_the_sandbox_may_stand_without_an_address(given: list[str], filled: list[str]) -> None:
    assert with_sandbox_value(given) == filled
    assert given == list(given)


def test_an_address_gets_its_scheme_and_loses_its_slash() -> None:
    assert sandbox_url("localhost:8430") == "http://localhost:8430"
    assert sandbox_url("https://market.example/") == "https://market.example"


@pytest.mark.parametrize("address", ["", "http://", "ftp://host:1", "http:///x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="not the address"):
        sandbox_url(address)
