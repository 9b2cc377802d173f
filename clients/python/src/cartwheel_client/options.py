"""How one request differs from the client's settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from cartwheel_client.error import CartwheelError


class Options(TypedDict, total=False):
    """How one request differs from the client's settings.

    fallback: what to answer if the server does not: not in time, or not at the moment.
    """

    timeout: float
    retries: int
    fallback: Callable[[CartwheelError], Any]
