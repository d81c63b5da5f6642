"""Control routes, budgets and faults of the sandbox, as a client meets them."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from test_sandbox_asgi import NOW, Caller

from weedhounds.sandbox import SandboxApp, SandboxConfig
from weedhounds.sandbox.config import ORIGINS
from weedhounds.sandbox.gate import FAULTS

STRAIN = "/leafly/strains/v1/blue-dream"


@pytest.fixture
def sandbox() -> Caller:
    return Caller()


async def set_fault(sandbox: Caller, fault: str | None, origin: str = "leafly", **options: float) -> None:
    answer = await sandbox.post("/_sandbox/fault", {"origin": origin, "fault": fault, **options})
    assert answer.status == 200


async def test_the_clock_tells_the_markets_time_and_speed() -> None:
    caller = Caller(speed=60.0)
    assert (await caller.get("/_sandbox/clock")).json == {"now": NOW, "speed": 60.0}


async def test_a_scaled_clock_runs_as_fast_as_configured() -> None:
    app = SandboxApp(SandboxConfig(speed=3600.0, start_s=NOW))
    before, real = app.clock.now(), app.clock.monotonic()
    await asyncio.sleep(0.05)
    assert before == pytest.approx(NOW, abs=3600)
    assert (app.clock.now() - before) / (app.clock.monotonic() - real) == pytest.approx(3600, rel=0.1)


async def test_calls_are_counted_by_origin_and_control_is_not(sandbox: Caller) -> None:
    await sandbox.get(STRAIN)
    await sandbox.get("/leafly/nothing")
    await sandbox.get("/weedmaps/v2/listings")
    await sandbox.get("/_sandbox/clock")
    told = (await sandbox.get("/_sandbox/calls")).json
    assert told == {"by_origin": {"dutchie": 0, "jane": 0, "weedmaps": 1, "leafly": 2, "socrata_ct": 0}}


async def test_the_log_names_each_call(sandbox: Caller) -> None:
    answer = await sandbox.get(STRAIN)
    sandbox.clock.advance(2.0)
    await sandbox.get("/weedmaps/v2/listings")
    first, second = (await sandbox.get("/_sandbox/calls", log=1)).json["log"]
    assert first == {
        "origin": "leafly",
        "kind": "strain",
        "arrived_s": 0.0,
        "latency_ms": 0.0,
        "status": 200,
        "bytes": len(answer.body),
        "target": None,
        "page": 0,
    }
    assert (second["kind"], second["arrived_s"]) == ("near", 2.0)


async def test_the_log_tells_the_shop_and_the_page_of_menu_calls(sandbox: Caller) -> None:
    listings = sandbox.app.market.listings
    shop = {o: max((x for x in listings if x.origin == o), key=lambda x: x.shop.menu_size) for o in ORIGINS[:4]}
    ask = {"productsFilter": {"dispensaryId": shop["dutchie"].id}, "page": 1, "perPage": 100}
    await sandbox.post("/dutchie/graphql", {"operationName": "FilteredProducts", "variables": ask})
    await sandbox.post(
        "/jane/1/indexes/menu-products-production/query",
        {"filters": f"store_id:{shop['jane'].id}", "hitsPerPage": 20, "page": 1},
        headers={"x-algolia-api-key": "sandbox-key"},
    )
    await sandbox.get(f"/weedmaps/v1/listings/dispensaries/{shop['weedmaps'].slug}/menu_items", page=2, page_size=50)
    await sandbox.get(f"/leafly/dispensaries/v2/{shop['leafly'].slug}/menu_items", take=60, skip=60)
    log = (await sandbox.get("/_sandbox/calls", log=1)).json["log"]
    assert [(c["origin"], c["kind"], c["target"], c["page"]) for c in log] == [
        (origin, "menu", shop[origin].id, 1) for origin in ORIGINS[:4]
    ]


async def test_terms_tell_scope_limit_attribution_and_budget(sandbox: Caller) -> None:
    terms = (await sandbox.get("/_sandbox/terms")).json
    assert terms["weedmaps"]["share"] == "never"
    assert terms["socrata_ct"]["share"] == "public"
    assert terms["dutchie"]["budget"] == {"burst": 80, "rate_per_s": 40.0, "concurrency": 32}
    assert all("attribution" in t and "storage_limit_s" in t for t in terms.values())


async def test_over_the_budget_the_answer_is_429_with_the_exact_wait() -> None:
    caller = Caller(budgets="real")
    statuses = [(await caller.get("/dutchie/graphql", operationName="x")).status for _ in range(3)]
    refused = await caller.get("/dutchie/graphql", operationName="x")
    assert statuses == [200, 200, 200]
    assert (refused.status, refused.headers["retry-after"]) == (429, "7")
    caller.clock.advance(7.0)
    assert (await caller.get("/dutchie/graphql", operationName="x")).status == 200


async def test_a_scaled_market_clock_does_not_refill_the_budget_faster() -> None:
    caller = Caller(budgets="real", speed=1000.0)
    for _ in range(3):
        await caller.get("/dutchie/graphql", operationName="x")
    caller.clock.set_now(NOW + 86400)
    assert (await caller.get("/dutchie/graphql", operationName="x")).status == 429


async def test_an_error_share_of_1_answers_503_always() -> None:
    caller = Caller(error_frac=1.0)
    assert (await caller.get(STRAIN)).status == 503
    assert (await caller.get("/_sandbox/clock")).status == 200


async def test_down_ends_the_call_without_an_answer(sandbox: Caller) -> None:
    await set_fault(sandbox, "down")
    assert (await sandbox.get(STRAIN)).status == 0
    assert (await sandbox.get("/_sandbox/calls")).json["by_origin"]["leafly"] == 1


async def test_slow_delays_by_the_given_time(sandbox: Caller) -> None:
    await set_fault(sandbox, "slow", slow_ms=80)
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert (await sandbox.get(STRAIN)).status == 200
    assert loop.time() - started >= 0.075


async def test_429_carries_retry_after(sandbox: Caller) -> None:
    await set_fault(sandbox, "429")
    answer = await sandbox.get(STRAIN)
    assert (answer.status, answer.headers["retry-after"]) == (429, "2")


@pytest.mark.parametrize(("fault", "status"), [("html", 403), ("html200", 200)])
async def test_a_bot_guard_answers_html(sandbox: Caller, fault: str, status: int) -> None:
    await set_fault(sandbox, fault)
    answer = await sandbox.get(STRAIN)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.body.startswith(b"<!DOCTYPE html>")


async def test_truncated_is_the_first_half_of_the_right_answer(sandbox: Caller) -> None:
    right = await sandbox.get(STRAIN)
    await set_fault(sandbox, "truncated")
    answer = await sandbox.get(STRAIN)
    assert answer.body == right.body[: len(right.body) // 2]
    assert answer.headers["content-length"] == str(len(answer.body))
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(answer.body)


async def test_wrong_types_keep_the_structure_and_change_every_leaf(sandbox: Caller) -> None:
    right = (await sandbox.get(STRAIN)).json
    await set_fault(sandbox, "wrong_types")
    wrong = (await sandbox.get(STRAIN)).json
    assert set(wrong) == set(right)
    assert (wrong["slug"], wrong["id"], wrong["aka"]) == (12345, {"not": ["a", "number"]}, [None])
    assert set(wrong["terps"]) == set(right["terps"])


async def test_garbage_is_no_json(sandbox: Caller) -> None:
    await set_fault(sandbox, "garbage")
    answer = await sandbox.get(STRAIN)
    assert answer.status == 200
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        msgspec.json.decode(answer.body)


async def test_huge_streams_until_the_client_goes(sandbox: Caller) -> None:
    await set_fault(sandbox, "huge")
    sandbox.goes_after_s = 0.0
    answer = await sandbox.get(STRAIN)
    assert answer.status == 200
    assert answer.body[:1] == b"["
    assert "content-length" not in answer.headers
    assert sandbox.app.gate.log[0].bytes == len(answer.body) < 300_000_000


async def test_a_fault_of_a_share_of_calls_leaves_the_others_right(sandbox: Caller) -> None:
    await set_fault(sandbox, "html", frac=0.5)
    statuses = [(await sandbox.get(STRAIN)).status for _ in range(60)]
    assert 10 < statuses.count(403) < 50
    assert statuses.count(200) == 60 - statuses.count(403)


async def test_a_fault_of_every_origin_is_cleared_with_null(sandbox: Caller) -> None:
    await set_fault(sandbox, "html", "*")
    assert (await sandbox.get("/weedmaps/v2/listings")).status == 403
    await set_fault(sandbox, None, "*")
    assert (await sandbox.get("/weedmaps/v2/listings")).status == 200


async def test_reset_clears_faults_counts_log_and_buckets() -> None:
    caller = Caller(budgets="real")
    await set_fault(caller, "html", "dutchie")
    for _ in range(4):
        await caller.get("/dutchie/graphql", operationName="x")
    assert (await caller.post("/_sandbox/reset", b"")).status == 200
    told = (await caller.get("/_sandbox/calls", log=1)).json
    assert (set(told["by_origin"].values()), told["log"]) == ({0}, [])
    assert (await caller.get("/dutchie/graphql", operationName="x")).status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "truncated"),
        (b"[]", "object"),
        ({"origin": "leafly"}, "fault"),
        ({"origin": "nobody", "fault": "down"}, "nobody"),
        ({"origin": "leafly", "fault": "fire"}, "fire"),
        ({"origin": "leafly", "fault": "down", "frac": 2}, "frac"),
        ({"origin": "leafly", "fault": "slow", "slow_ms": -1}, "slow_ms"),
        ({"origin": "leafly", "fault": "down", "fraction": 1}, "fraction"),
        ({"origin": 7, "fault": "down"}, "origin"),
    ],
)
async def test_a_wrong_fault_order_is_refused_in_one_clear_line(sandbox: Caller, body: object, message: str) -> None:
    answer = await sandbox.post("/_sandbox/fault", body)
    assert answer.status == 400
    assert message in answer.json["error"]
    assert sandbox.app.gate.faults == {}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "key"),
        ("menu", "not a record key"),
        ("promotions:dutchie:x", "truth answers"),
        ("dispensary_menu:dutchie:x", "no shop"),
        ("dispensary_menu:nobody:1", "no shop"),
        ("dispensary_menu:jane:1:v", "truth answers"),
    ],
)
async def test_a_wrong_truth_key_is_refused_in_one_clear_line(sandbox: Caller, key: str, message: str) -> None:
    answer = await sandbox.get("/_sandbox/truth", key=key)
    assert answer.status == 400
    assert message in answer.json["error"]


async def test_control_routes_take_their_own_method_only(sandbox: Caller) -> None:
    assert (await sandbox.get("/_sandbox/fault")).status == 405
    assert (await sandbox.post("/_sandbox/clock", {})).status == 405
    assert (await sandbox.get("/_sandbox/nothing")).status == 404


def test_every_fault_is_tested_here() -> None:
    assert set(FAULTS) == {
        "down", "slow", "429", "html", "html200", "truncated", "huge", "wrong_types", "garbage"
    }  # fmt: skip
