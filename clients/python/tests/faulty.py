"""A proxy in front of the server that fails as it is told."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy:
    """`faults` are taken one a request: `drop` the answer, `hang`, or a status with its headers."""

    def __init__(self, target: str, faults: list[Any]) -> None:
        self.seen: list[Any] = []
        self.ended = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                proxy.seen.append(json.loads(body))
                fault = faults.pop(0) if faults else None
                if fault == "hang":
                    proxy.ended.wait(30)
                    return
                if isinstance(fault, tuple):
                    self.answer(fault[0], fault[1], b'{"title": "told to fail"}')
                    return
                kept = {name: self.headers[name] for name in ("content-type", "x-api-key")}
                request = urllib.request.Request(target + self.path, body, kept)
                with urllib.request.urlopen(request) as answer:
                    content = answer.read()
                if fault == "drop":
                    self.close_connection = True
                else:
                    self.answer(200, {}, content)

            def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def proxy(target: str, faults: list[Any]) -> Iterator[Proxy]:
    opened = Proxy(target, faults)
    try:
        yield opened
    finally:
        opened.close()
