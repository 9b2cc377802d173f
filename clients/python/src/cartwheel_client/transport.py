"""Requests over connections that are kept, again where that helps."""

from __future__ import annotations

import http.client
import json
import random
import re
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from cartwheel_client.error import CartwheelError, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FIRST_WAIT = 0.2
_MOST_WAIT = 10.0
_IDLE_CONNECTIONS = 8
# Requests that change nothing, or whose events have ids: a second one does no harm.
_REPEATABLE = re.compile(r"/(submit|v1/(events|page|rank|recommendations|placements/\{name\}))")


class Transport:
    """Sends requests to one server. Threads may share it."""

    def __init__(
        self,
        url: str,
        key: str | None,
        token: str | Callable[[], str] | None,
        timeout: float,
        retries: int,
        context: ssl.SSLContext | None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url is {url!r}: expected http:// or https:// and a host")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._key, self._token = key, token
        self._fetched: str | None = None
        self._timeout, self._retries = timeout, retries
        self._context = context or (ssl.create_default_context() if self._secure else None)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = None,
        retries: int | None = None,
        fallback: Callable[[CartwheelError], Any] | None = None,
    ) -> Any:
        """Sends a request and returns the JSON of its answer; see `Cartwheel.request`."""
        names = {name: quote(str(value), safe="") for name, value in (params or {}).items()}
        address = self._base + path.format(**names)
        asked = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        if asked:
            address += "?" + urlencode(asked)
        data = None if body is None else json.dumps(body).encode()
        timeout = self._timeout if timeout is None else timeout
        retries = self._retries if retries is None else retries
        repeatable = method in ("GET", "PUT") or _REPEATABLE.fullmatch(path) is not None
        renewed, attempt = False, 0
        while True:
            try:
                return self._send(method, address, data, timeout, reuse=repeatable)
            except CartwheelError as error:
                if error.status == 401 and callable(self._token) and not renewed:
                    renewed, self._fetched = True, None
                    continue
                # A request that was refused for its rate was not carried out.
                if (repeatable or error.status == 429) and error.is_passing and attempt < retries:
                    backoff = _FIRST_WAIT * 2**attempt * random.uniform(0.5, 1)
                    wait = backoff if error.retry_after is None else error.retry_after
                    time.sleep(min(wait, _MOST_WAIT))
                    attempt += 1
                    continue
                if error.is_passing and fallback is not None:
                    return fallback(error)
                raise

    def _credential(self) -> dict[str, str]:
        if callable(self._token):
            self._fetched = self._fetched or self._token()
        token = self._fetched if callable(self._token) else self._token
        if token:
            return {"authorization": f"Bearer {token}"}
        return {"x-api-key": self._key} if self._key else {}

    def _send(self, method: str, address: str, data: bytes | None, timeout: float, *, reuse: bool) -> Any:
        headers = self._credential()
        if data is not None:
            headers["content-type"] = "application/json"
        connection = self._connection(timeout, reuse=reuse)
        try:
            connection.request(method, address, data, headers)
            answer = connection.getresponse()
            content = answer.read()
        except TimeoutError as error:
            connection.close()
            raise CartwheelError("no answer in time") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise CartwheelError(f"the server cannot be reached: {error}") from error
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        if not 200 <= answer.status < 300:
            raise error_of(answer.status, content, answer.getheader("retry-after"))
        return json.loads(content) if content else None

    def _connection(self, timeout: float, *, reuse: bool) -> http.client.HTTPConnection:
        with self._lock:
            connection = self._idle.pop() if self._idle and reuse else None
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(timeout)
            return connection
        if self._secure:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._context)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Closes the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
