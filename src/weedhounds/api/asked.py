"""What the API asks of a node. :class:`weedhounds.node.Node` is one; tests bring their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from weedhounds.cache.rendered import Rendered
from weedhounds.clock import Clock
from weedhounds.config import Settings
from weedhounds.node import NodeStats
from weedhounds.query.answer import DispensariesAnswer, HuntAnswer, RecordAnswer, StrainAnswer
from weedhounds.query.pricehistory import PriceHistory


class Asked(Protocol):
    """A started node, as far as HTTP needs it; its methods raise as those of ``Node`` do."""

    @property
    def settings(self) -> Settings:
        """Return the node's settings."""
        ...

    @property
    def clock(self) -> Clock:
        """Return the node's clock."""
        ...

    @property
    def is_ready(self) -> bool:
        """Tell whether the node has started and is not stopping."""
        ...

    async def hunt(
        self,
        query: str = "",
        *,
        near: str,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        offline: bool = False,
    ) -> HuntAnswer:
        """Return the offers near a place."""
        ...

    async def dispensaries(
        self,
        near: str,
        *,
        radius_km: float | None = None,
        deadline_s: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        offline: bool = False,
    ) -> DispensariesAnswer:
        """Return the shops near a place."""
        ...

    async def record(self, key: str, *, deadline_s: float | None = None, offline: bool = False) -> RecordAnswer | None:
        """Return one record with its provenance."""
        ...

    @property
    def hit(self) -> Callable[[str], Rendered | None]:
        """Return what gives a record's answer by its key, as bytes, where that needs no waiting."""
        ...

    async def price_history(
        self,
        key: str,
        *,
        since: float = 0.0,
        product_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> PriceHistory | None:
        """Return how the prices of one shop changed."""
        ...

    async def strain(self, slug: str, *, deadline_s: float | None = None, offline: bool = False) -> StrainAnswer | None:
        """Return what is known of a strain."""
        ...

    def stats(self) -> NodeStats:
        """Return the node's figures."""
        ...


NodeDependency: TypeAlias = NamedDependency[SkipValidation[Asked]]
"""How handlers ask for the node."""
