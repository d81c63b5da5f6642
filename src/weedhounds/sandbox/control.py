"""The control routes below ``/_sandbox``: clock, truth, calls, terms, faults, reset."""

from __future__ import annotations

import msgspec

from weedhounds.clock import Clock
from weedhounds.errors import BadInput
from weedhounds.model.keys import RecordKey
from weedhounds.sandbox.config import ORIGINS, SandboxConfig
from weedhounds.sandbox.gate import FAULTS, Fault, Gate
from weedhounds.sandbox.http import Reply, Request, json_reply
from weedhounds.sandbox.market import Market
from weedhounds.sandbox.terms import terms_of
from weedhounds.sandbox.truth import Truth

_POSTS = frozenset({"fault", "reset"})
ROUTES = ("calls", "clock", "terms", "truth", *sorted(_POSTS))


class _FaultOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /_sandbox/fault``."""

    origin: str
    fault: str | None
    frac: float = 1.0
    slow_ms: float = 8000.0


class Control:
    """Answers the control routes; bad input gives 400 with one line that says what is wrong."""

    def __init__(self, config: SandboxConfig, market: Market, gate: Gate, clock: Clock) -> None:
        self._config = config
        self._gate = gate
        self._clock = clock
        self._truth = Truth(market)
        self._terms = terms_of(config)

    def answer(self, route: str, request: Request) -> Reply:
        """Return the answer of ``/_sandbox/{route}``."""
        if route not in ROUTES:
            return _problem(f"no such control route; there are: {', '.join(ROUTES)}", 404)
        wanted = "POST" if route in _POSTS else "GET"
        if request.method != wanted:
            return _problem(f"/_sandbox/{route} takes {wanted}", 405)
        try:
            return json_reply(getattr(self, f"_{route}_answer")(request))
        except (BadInput, msgspec.MsgspecError) as error:
            return _problem(str(error), 400)

    def _calls_answer(self, request: Request) -> dict[str, object]:
        answer: dict[str, object] = {"by_origin": self._gate.counts}
        if request.query.get("log", "0") not in ("0", ""):
            answer["log"] = [msgspec.structs.asdict(call) for call in self._gate.log]
        return answer

    def _clock_answer(self, request: Request) -> dict[str, float]:
        return {"now": self._clock.now(), "speed": self._config.speed}

    def _terms_answer(self, request: Request) -> dict[str, object]:
        answer: dict[str, object] = {}
        for origin, terms in self._terms.items():
            budget = msgspec.structs.asdict(self._gate.budgets[origin])
            answer[origin] = {**msgspec.structs.asdict(terms), "budget": budget}
        return answer

    def _truth_answer(self, request: Request) -> dict[str, object]:
        text = request.query.get("key")
        if not text:
            raise BadInput("truth needs a parameter key, such as dispensary_menu:weedmaps:14000")
        return self._truth.answer(RecordKey.parse(text), self._clock.now())

    def _fault_answer(self, request: Request) -> dict[str, object]:
        order = msgspec.json.decode(request.body or b"{}", type=_FaultOrder)
        if order.origin not in (*ORIGINS, "*"):
            raise BadInput(f"origin must be one of {', '.join(ORIGINS)} or *, not {order.origin!r:.40}")
        if order.fault is not None and order.fault not in FAULTS:
            raise BadInput(f"fault must be one of {', '.join(FAULTS)} or null, not {order.fault!r:.40}")
        if not 0 <= order.frac <= 1:
            raise BadInput(f"frac must be 0 to 1, not {order.frac:g}")
        if not 0 <= order.slow_ms <= 600_000:
            raise BadInput(f"slow_ms must be 0 to 600000, not {order.slow_ms:g}")
        fault = None if order.fault is None else msgspec.convert(msgspec.structs.asdict(order), Fault, strict=True)
        self._gate.set_fault(order.origin, fault)
        return {"faults": {origin: msgspec.structs.asdict(f) for origin, f in sorted(self._gate.faults.items())}}

    def _reset_answer(self, request: Request) -> dict[str, object]:
        self._gate.reset(self._clock.monotonic())
        return {"reset": True}


def _problem(message: str, status: int) -> Reply:
    return json_reply({"error": message}, status=status)
