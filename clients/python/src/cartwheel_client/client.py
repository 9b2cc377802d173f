"""The client for programs that wait for their answers."""

from __future__ import annotations

import atexit
import contextlib
import uuid
import weakref
from typing import TYPE_CHECKING, Any, Unpack

from cartwheel_client.error import CartwheelError
from cartwheel_client.queue import Queue
from cartwheel_client.transport import Transport

if TYPE_CHECKING:
    import ssl
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

# Flushed when the program ends, unless they were closed.
_open: weakref.WeakSet[Cartwheel] = weakref.WeakSet()


class Cartwheel:
    """A client of one server. Threads may share it; most programs need one.

    url: the server, such as `https://recommendations.example`.
    key: a secret key.
    token: a shopper token, or what fetches one; asked again after a token was refused.
    timeout: seconds until an attempt counts as failed.
    retries: further attempts after one that failed.
    max_queue: most events that wait; further ones are dropped.
    batch_size: most events of a request, at most 500.
    interval: seconds for which events are collected.
    on_lost: hears of each event that is lost, and why.
    context: the settings of TLS.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        token: str | Callable[[], str] | None = None,
        timeout: float = 2.0,
        retries: int = 2,
        max_queue: int = 10_000,
        batch_size: int = 100,
        interval: float = 1.0,
        on_lost: Callable[[Event, str], None] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._transport = Transport(url, key, token, timeout, retries, context)
        self._queue = Queue(self._send_events, max_queue, batch_size, interval, on_lost)
        _open.add(self)

    def _send_events(self, events: list[Event]) -> Any:
        return self._transport.request("POST", "/v1/events", body=events)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        **options: Unpack[Options],
    ) -> Any:
        """Asks any route of the API and returns the JSON of its answer.

        path: as in the API's document, such as `/v1/products/{id}/similar`.
        params: the values of the names in the path.

        Raises `CartwheelError`.
        """
        return self._transport.request(method, path, params=params, query=query, body=body, **options)

    def track(self, event: Event) -> bool:
        """Sends an event in the background, together with others.

        Returns False if it is lost because too many wait. What waits is sent at the end of the
        program too.
        """
        return self._queue.put(event)

    def submit(self, event: Event, **options: Unpack[Options]) -> Submitted:
        """Stores an event and recommends: the answer already reflects it."""
        event = {**event, "event_id": event.get("event_id") or str(uuid.uuid4())}
        return self.request("POST", "/submit", body=event, **options)

    def recommend(self, question: RecommendationRequest, **options: Unpack[Options]) -> Recommendations:
        """Recommends products to a shopper."""
        return self.request("POST", "/v1/recommendations", body=question, **options)

    def placement(self, name: str, question: PlacementRequest, **options: Unpack[Options]) -> PlacementAnswer:
        """Fills a placement for a shopper."""
        path = "/v1/placements/{name}"
        return self.request("POST", path, params={"name": name}, body=question, **options)

    def page(self, question: PageRequest, **options: Unpack[Options]) -> PageAnswer:
        """Fills the placements of a page, without a product in two of them."""
        return self.request("POST", "/v1/page", body=question, **options)

    @property
    def waiting(self) -> int:
        """The number of events that wait."""
        return len(self._queue)

    def flush(self) -> None:
        """Sends every event that waits.

        Raises `CartwheelError` if the server cannot take them now. They wait on.
        """
        self._queue.flush()

    def close(self) -> None:
        """Sends every event that waits, and closes the connections."""
        _open.discard(self)
        try:
            self._queue.close()
        finally:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@atexit.register
def _close_all() -> None:
    for client in list(_open):
        with contextlib.suppress(CartwheelError):
            client.close()
