"""Addresses, headers, retries and errors of an origin's client, with a scripted exchange instead of sockets."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections.abc import Mapping

import pytest
from multidict import CIMultiDict
from yarl import URL

from weedhounds.clock import Clock, ManualClock
from weedhounds.config import FetchSettings
from weedhounds.errors import (
    ConfigError,
    NotFound,
    OriginRejected,
    OriginUnavailable,
    RateLimited,
    SchemaMismatch,
    SourceError,
)
from weedhounds.model.provenance import Terms
from weedhounds.sources.base import Budget, Call, Kind, OriginConfig
from weedhounds.sources.fetch import Fetcher, OriginClient, Validators, located
from weedhounds.sources.transport import Reply, retry_after_s
from weedhounds.telemetry import CallCounter, Counters, Trace


def reply(status: int = 200, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, CIMultiDict(headers or {}), "application/json", None, body, 0.1)


class ScriptedFetcher(Fetcher):
    """Answers from a list; the last outcome repeats."""

    def __init__(self, *outcomes: Reply | Exception, clock: Clock | None = None, attempts: int = 3) -> None:
        settings = FetchSettings(attempts=attempts, retry_base_s=0.5)
        super().__init__(settings, clock or ManualClock(), rng=random.Random(1))
        self._outcomes = list(outcomes)
        self.sent: list[tuple[URL, Call, Mapping[str, str]]] = []

    async def exchange(self, url: URL, call: Call, headers: Mapping[str, str], counter: CallCounter) -> Reply:
        counter.called()
        self.sent.append((url, call, headers))
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the waits between attempts; return what they would have been, seconds."""
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real(0)

    monkeypatch.setattr("weedhounds.sources.fetch.asyncio.sleep", sleep)
    return waits


def client_of(fetcher: Fetcher, base_url: str = "http://origin.example/api", **options: str) -> OriginClient:
    config = OriginConfig(
        origin="leafly", base_url=base_url, budget=Budget(50, 10.0, 10), terms=Terms(), options=options
    )
    return OriginClient(config, fetcher, Counters())


CALL = Call(kind=Kind.MENU, path="/menu")


async def test_a_call_goes_below_the_base_address_with_its_parameters_and_headers() -> None:
    fetcher = ScriptedFetcher(reply())
    call = Call(kind=Kind.MENU, path="/a%2Fb", params=(("q", "blue dream"), ("q", "x&y")), headers=(("X-App", "web"),))
    await client_of(fetcher).send(call, deadline=None, validators=Validators('"7"', "Mon"), trace=Trace())
    url, _, headers = fetcher.sent[0]
    assert str(url) == "http://origin.example/api/a%2Fb?q=blue+dream&q=x%26y"
    assert headers == {"x-app": "web", "if-none-match": '"7"', "if-modified-since": "Mon"}


@pytest.mark.parametrize("web_base", ["https://www.leafly.example", "https://a.example, https://www.leafly.example/x"])
async def test_a_whole_address_goes_only_to_hosts_that_the_settings_name(web_base: str) -> None:
    fetcher = ScriptedFetcher(reply())
    client = client_of(fetcher, web_base=web_base)
    await client.send(Call(kind=Kind.MENU, path="https://www.leafly.example/p"), deadline=None, trace=Trace())
    for other in ("https://leafly.example/p", "http://www.leafly.example/p", "https://www.leafly.example:444/p"):
        with pytest.raises(OriginRejected, match="outside"):
            await client.send(Call(kind=Kind.MENU, path=other), deadline=None, trace=Trace())
    assert len(fetcher.sent) == 1


def test_a_web_host_that_is_no_address_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="web_base"):
        client_of(ScriptedFetcher(reply()), web_base="www.leafly.example")


async def test_waits_double_with_jitter_and_end_with_the_attempts(slept: list[float]) -> None:
    client = client_of(ScriptedFetcher(OriginUnavailable("gone"), attempts=5))
    with pytest.raises(OriginUnavailable):
        await client.send(CALL, deadline=None, trace=Trace())
    ceilings = [0.5, 1.0, 2.0, 4.0]
    assert len(slept) == 4
    assert all(c / 2 <= wait <= c for wait, c in zip(slept, ceilings, strict=True))


async def test_no_wait_passes_the_deadline(slept: list[float]) -> None:
    fetcher = ScriptedFetcher(OriginUnavailable("gone"))
    with pytest.raises(OriginUnavailable, match="gone"):
        await client_of(fetcher).send(CALL, deadline=0.2, trace=Trace())
    assert slept == []
    assert len(fetcher.sent) == 1


async def test_a_deadline_in_the_past_sends_nothing() -> None:
    fetcher = ScriptedFetcher(reply())
    with pytest.raises(OriginUnavailable, match="deadline"):
        await client_of(fetcher).send(CALL, deadline=0.0, trace=Trace())
    assert fetcher.sent == []


@pytest.mark.parametrize("error", [SchemaMismatch("too large"), OriginRejected("cannot be sent")])
async def test_what_no_retry_can_mend_is_not_retried(error: SourceError) -> None:
    fetcher = ScriptedFetcher(error)
    with pytest.raises(type(error)):
        await client_of(fetcher).send(CALL, deadline=None, trace=Trace())
    assert len(fetcher.sent) == 1


@pytest.mark.parametrize("status", [202, 408, 425, 500, 502, 599])
async def test_try_again_statuses_are_tried_again(slept: list[float], status: int) -> None:
    fetcher = ScriptedFetcher(reply(status), reply())
    assert (await client_of(fetcher).send(CALL, deadline=None, trace=Trace())).status == 200
    assert len(slept) == 1


async def test_not_modified_to_an_unconditional_request_is_no_answer() -> None:
    with pytest.raises(OriginRejected, match="304"):
        await client_of(ScriptedFetcher(reply(304, b""))).send(CALL, deadline=None, trace=Trace())


async def test_an_answer_is_dated_by_the_clock_of_facts_and_drops_endless_validators() -> None:
    clock = ManualClock(1_700_000_000.0)
    answer = reply(headers={"ETag": '"' + "x" * 5000 + '"', "Last-Modified": "Tue, 01 Jul 2025 00:00:00 GMT"})
    got = await client_of(ScriptedFetcher(answer, clock=clock)).send(CALL, deadline=None, trace=Trace())
    assert (got.fetched_at, got.etag, got.last_modified) == (
        1_700_000_000.0,
        None,
        "Tue, 01 Jul 2025 00:00:00 GMT",
    )


async def test_figures_tell_calls_retries_errors_and_bytes(slept: list[float]) -> None:
    fetcher = ScriptedFetcher(reply(500), reply(body=b"[1,2,3]"), reply(404))
    client, trace = client_of(fetcher), Trace()
    await client.send(CALL, deadline=None, trace=trace)
    with pytest.raises(NotFound):
        await client.send(CALL, deadline=None, trace=trace)
    stats = client.stats()
    assert (stats.calls, stats.retries, stats.rate_limited) == (3, 1, 0) == (trace.origin_calls, len(slept), 0)
    assert stats.errors == {"NotFound": 1}
    assert stats.bytes == len(b"[1,2,3]") + 2 * len(b"{}")
    assert stats.latency.count == 3
    assert stats.in_flight == 0


async def test_an_error_names_origin_and_time_spent_and_survives_a_pickle(slept: list[float]) -> None:
    limited = reply(429, headers={"Retry-After": "2"})
    for outcome in (limited, OriginUnavailable("gone"), reply(404), SchemaMismatch("no")):
        with pytest.raises(SourceError) as caught:
            await client_of(ScriptedFetcher(outcome, attempts=1)).send(CALL, deadline=None, trace=Trace())
        error = caught.value
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (again.origin, again.elapsed_s, again.message) == ("leafly", error.elapsed_s, error.message)
        assert again.elapsed_s is not None


def test_a_place_is_filled_in_only_where_it_was_open() -> None:
    first = located(RateLimited("full", 3.0), origin="jane", key="k", elapsed_s=1.0)
    again = located(first, origin="other", key="other", elapsed_s=9.0)
    assert isinstance(again, RateLimited)
    assert (again.retry_after_s, again.origin, again.key, again.elapsed_s) == (3.0, "jane", "k", 1.0)
    kept = located(OriginUnavailable("late", retryable=False), origin="jane")
    assert (kept.retryable, kept.origin) == (False, "jane")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 7 "}, 7.0),
        ({"Retry-After": "99999999999999"}, 999_999_999.0),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "Tue, 01 Jul 2025 00:00:30 GMT", "Date": "Tue, 01 Jul 2025 00:00:00 GMT"}, 30.0),
        ({"Retry-After": "Tue, 01 Jul 2025 00:00:00 GMT", "Date": "Tue, 01 Jul 2025 00:00:30 GMT"}, 0.0),
        ({"Retry-After": "Tue, 01 Jul 2025 00:00:30 GMT"}, 20.0),
        ({"Retry-After": "Tue, 99 Jul 2025 00:00:30 GMT"}, None),
        ({"Retry-After": "Tue, 01 Jul 2025 00:00:30 GMT", "Date": "yesterday"}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], expected: float | None) -> None:
    now = 1_751_328_010.0  # 2025-07-01T00:00:10Z
    assert retry_after_s(reply(429, headers=headers), now) == expected
