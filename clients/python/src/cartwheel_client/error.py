"""Requests that failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cartwheel_client.schema import Problem

# Statuses that go away by themselves.
_PASSING = frozenset({0, 408, 425, 429, 500, 502, 503, 504})


class CartwheelError(Exception):
    """A request that the server refused, or that has no answer.

    `status` is that of the answer, 0 without one. `problem` says what is wrong and with which field.
    """

    def __init__(
        self,
        message: str,
        status: int = 0,
        problem: Problem | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.retry_after = retry_after

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _PASSING


def error_of(status: int, body: bytes, retry_after: str | None) -> CartwheelError:
    """Returns the error that an answer means."""
    text = body.decode(errors="replace")
    try:
        problem = json.loads(text)
    except ValueError:
        # A proxy has answered.
        problem = None
    detail = problem.get("detail") if isinstance(problem, dict) else text[:200]
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return CartwheelError(f"{status}: {detail}", status, problem, seconds)
