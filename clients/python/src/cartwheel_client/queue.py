"""Events that wait to be sent."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from typing import TYPE_CHECKING

from cartwheel_client.error import CartwheelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cartwheel_client.schema import BatchAnswer, Event

_MOST_BATCH = 500
_MOST_WAIT = 30.0


class Queue:
    """A bounded queue with a thread that sends it.

    Each event has an id before its first attempt and keeps it. The thread does not keep the process
    running.
    """

    def __init__(
        self,
        send: Callable[[list[Event]], BatchAnswer],
        max_queue: int,
        batch_size: int,
        interval: float,
        on_lost: Callable[[Event, str], None] | None,
    ) -> None:
        self._send = send
        self._max_queue = max_queue
        self._batch_size = max(1, min(batch_size, _MOST_BATCH))
        self._interval = interval
        self._on_lost = on_lost
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        # One sender at a time.
        self._sending = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> bool:
        """Adds an event; returns False if it is lost because the queue is full."""
        with self._lock:
            full = len(self._events) >= self._max_queue
            if not full:
                self._events.append({**event, "event_id": event.get("event_id") or str(uuid.uuid4())})
                if self._thread is None and not self._closed.is_set():
                    self._thread = threading.Thread(target=self._run, daemon=True, name="cartwheel")
                    self._thread.start()
        if full:
            self._lost(event, "the queue is full")
        elif len(self._events) >= self._batch_size:
            self._wake.set()
        return not full

    def _lost(self, event: Event, why: str) -> None:
        if self._on_lost is not None:
            self._on_lost(event, why)

    def _run(self) -> None:
        wait = self._interval
        while not self._closed.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            try:
                self.flush()
                wait = self._interval
            except CartwheelError:
                wait = min(max(wait, 0.5) * 2, _MOST_WAIT)

    def flush(self) -> None:
        """Sends everything that waits.

        Raises `CartwheelError` if the server cannot take it now. The events wait on.
        """
        with self._sending:
            while batch := self._first():
                again = self._send_batch(batch)
                with self._lock:
                    for _ in batch:
                        self._events.popleft()
                    self._events.extendleft(reversed(again))
                if again:
                    raise CartwheelError(f"{len(again)} events could not be stored yet", 503)

    def _first(self) -> list[Event]:
        with self._lock:
            return [self._events[at] for at in range(min(self._batch_size, len(self._events)))]

    def _send_batch(self, batch: list[Event]) -> list[Event]:
        """Sends events and returns those that have to be sent again."""
        try:
            records = self._send(batch)["records"]
        except CartwheelError as error:
            # A wrong key is no reason to lose events.
            if error.is_passing or error.status in (401, 403):
                raise
            for event in batch:
                self._lost(event, str(error))
            return []
        again = []
        for event, record in zip(batch, records, strict=True):
            problem = record.get("error")
            if not problem:
                continue
            if CartwheelError(problem["title"], problem["status"]).is_passing:
                again.append(event)
            else:
                self._lost(event, problem.get("detail") or problem["title"])
        return again

    def close(self) -> None:
        """Sends everything that waits, and ends the thread."""
        self._closed.set()
        self._wake.set()
        self.flush()
