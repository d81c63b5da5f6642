"""The ASGI application of a node."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from weedhounds.api.asked import Asked
from weedhounds.api.description import describe, description_routes
from weedhounds.api.dispensaries import dispensaries
from weedhounds.api.fastpath import FastPath
from weedhounds.api.health import healthz, ready_guard, readyz
from weedhounds.api.hunts import hunt
from weedhounds.api.listen import allowed_hosts
from weedhounds.api.menus import menu
from weedhounds.api.metrics import metrics
from weedhounds.api.middleware import Conditional, HostChecked, Hosts, Observed, Requests
from weedhounds.api.prices import prices
from weedhounds.api.problems import respond
from weedhounds.api.stats import stats
from weedhounds.api.strains import strain

QUESTIONS: tuple[HTTPRouteHandler, ...] = (hunt, dispensaries, menu, prices, strain, stats, metrics)
"""The routes that need a node which is ready."""
HEALTH: tuple[HTTPRouteHandler, ...] = (healthz, readyz)


def create_app(node: Asked) -> ASGIApp:
    """Return the application that answers for ``node``.

    The node is the caller's to start and stop; until it is ready, ``/readyz`` and every question
    answer 503.
    """
    questions = Router("/", route_handlers=list(QUESTIONS), guards=[ready_guard])
    routes: Sequence[HTTPRouteHandler | Router] = (questions, *HEALTH)
    app = Litestar(
        [*routes, *description_routes(describe(routes_described()))],
        dependencies={"node": Provide(lambda: node, sync_to_thread=False)},
        exception_handlers={Exception: respond},
        openapi_config=None,
        logging_config=None,
        state=State({"node": node}),
    )
    hosts, requests = Hosts(allowed_hosts(node.settings.server)), Requests()
    observed = Observed(HostChecked(Conditional(app), hosts), node.clock, requests)
    return FastPath(observed, node, hosts, requests)


def routes_described() -> list[HTTPRouteHandler]:
    """Return the handlers of every route in the API's description."""
    return [*QUESTIONS, *HEALTH]
