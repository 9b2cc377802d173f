#!/usr/bin/env python3
"""Prints the similar products of well-known ones, for a shopper's eye.

  similar.py CARTWHEEL DATA_DIR

Starts a server on a data directory that has a release, and asks `/v1/products/{id}/similar` about the best
sellers, one of each aisle. Standard library only.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers import free_port

WELL_KNOWN = 50
NEAREST = 10
KINDS = ("bought_together", "substitutes", "also_viewed")
# How the reasons of products seen in the same visits begin. Where there are no visits, `also_viewed` falls
# back on products that are alike, which say nothing more than the substitutes.
SEEN = "Looked at together"
# Most pages of best sellers that are looked through for aisles.
PAGES = 20


@contextmanager
def server(binary: Path, data: Path) -> Iterator[str]:
    """A server that is ready; its URL."""
    address = f"127.0.0.1:{free_port()}"
    command = [str(binary), "--data-dir", str(data), "serve", "--listen", address]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                get(f"http://{address}", "/readyz")
                break
            except OSError as error:
                if child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{' '.join(command)}: it does not become ready: {error}") from error
                time.sleep(0.05)
        yield f"http://{address}"
    finally:
        child.terminate()
        child.wait(timeout=60)


def get(base: str, path: str, **query: Any) -> Any:
    url = f"{base}{path}?{urllib.parse.urlencode(query)}" if query else base + path
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def well_known(base: str) -> list[dict[str, Any]]:
    """The best sellers, one of each aisle; of a shop without aisles, the best sellers."""
    found: dict[str, dict[str, Any]] = {}
    cursor: dict[str, Any] = {}
    for _ in range(PAGES):
        page = get(base, "/v1/products", limit=100, **cursor)
        for product in page["products"]:
            found.setdefault(product["aisle"] or product["product_id"], product)
        if len(found) >= WELL_KNOWN or not page.get("next_cursor"):
            break
        cursor = {"cursor": page["next_cursor"]}
    return list(found.values())[:WELL_KNOWN]


def lists(binary: Path, data: Path) -> list[dict[str, Any]]:
    """For each well-known product its name, and the names of similar ones by kind."""
    out = []
    with server(binary, data) as base:
        for product in well_known(base):
            path = f"/v1/products/{urllib.parse.quote(product['product_id'], safe='')}/similar"
            found = {kind: get(base, path, kind=kind, limit=NEAREST)["recommendations"] for kind in KINDS}
            seen = [one for one in found["also_viewed"] if one["reasons"][0].startswith(SEEN)]
            found["also_viewed"] = seen
            names = {kind: [one["product_name"] for one in items] for kind, items in found.items()}
            out.append({"name": product["product_name"], "aisle": product["aisle"], "similar": names})
    if not any(one["similar"]["also_viewed"] for one in out):
        for one in out:
            del one["similar"]["also_viewed"]
    return out


def text(found: list[dict[str, Any]]) -> str:
    """The lists to read."""
    out = []
    for one in found:
        out.append(f"{one['name']} ({one['aisle']})")
        out += [f"  {kind:<16}{'; '.join(names) or '-'}" for kind, names in one["similar"].items()]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    print(text(lists(Path(sys.argv[1]), Path(sys.argv[2]))), end="")
