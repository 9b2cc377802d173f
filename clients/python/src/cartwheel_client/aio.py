"""The client for asyncio."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from cartwheel_client.client import Cartwheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from cartwheel_client.options import Options
    from cartwheel_client.schema import (
        Event,
        PageAnswer,
        PageRequest,
        PlacementAnswer,
        PlacementRequest,
        RecommendationRequest,
        Recommendations,
        Submitted,
    )


class AsyncCartwheel:
    """`Cartwheel` for asyncio, with the same settings.

    Requests run on `threads` threads of its own, so that there is no dependency: as many are on their
    way at once, and further ones wait. A request whose task is cancelled ends with its timeout.
    """

    def __init__(self, url: str, key: str | None = None, *, threads: int = 16, **settings: Any) -> None:
        self._client = Cartwheel(url, key, **settings)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="cartwheel")

    async def _run(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(call, *args, **options))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        **options: Unpack[Options],
    ) -> Any:
        """Asks any route of the API; see `Cartwheel.request`."""
        ask = partial(self._client.request, params=params, query=query, body=body)
        return await self._run(ask, method, path, **options)

    def track(self, event: Event) -> bool:
        """Sends an event in the background; see `Cartwheel.track`."""
        return self._client.track(event)

    async def submit(self, event: Event, **options: Unpack[Options]) -> Submitted:
        """Stores an event and recommends: the answer already reflects it."""
        return await self._run(self._client.submit, event, **options)

    async def recommend(self, question: RecommendationRequest, **options: Unpack[Options]) -> Recommendations:
        """Recommends products to a shopper."""
        return await self._run(self._client.recommend, question, **options)

    async def placement(
        self, name: str, question: PlacementRequest, **options: Unpack[Options]
    ) -> PlacementAnswer:
        """Fills a placement for a shopper."""
        return await self._run(self._client.placement, name, question, **options)

    async def page(self, question: PageRequest, **options: Unpack[Options]) -> PageAnswer:
        """Fills the placements of a page, without a product in two of them."""
        return await self._run(self._client.page, question, **options)

    @property
    def waiting(self) -> int:
        """The number of events that wait."""
        return self._client.waiting

    async def flush(self) -> None:
        """Sends every event that waits; see `Cartwheel.flush`."""
        await self._run(self._client.flush)

    async def close(self) -> None:
        """Sends every event that waits, and closes the connections."""
        try:
            await self._run(self._client.close)
        finally:
            self._threads.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
