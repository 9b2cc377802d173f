"""What each part of storing an event costs: servers that do more and more of it, measured in turn."""

import contextlib
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from figures import add
from servers import Cartwheel, Layer
from serving import measure_load, small_shop

# Layers of the program `stack`, each of which adds to the one before.
LAYERS = {
    "hyper": "hyper alone, echo",
    "axum": "+ axum's router",
    "connection": "+ time limits of connections",
    "decode": "+ decoding the event",
    "router": "+ request id, log, metrics, access, answer",
    "sessions": "+ the shopper's session",
    "encode": "+ encoding the record",
}
MEMORY = Path("/dev/shm")
USERS = 2000


def stack(cartwheel, program, load, work, repeats, seconds):
    """Requests a second and p99 of each layer and of the server, for 1 and 50 clients."""
    with contextlib.ExitStack() as ending:

        def started(server):
            ending.callback(server.stop)
            return server

        def layer(name, within=work):
            folder = tempfile.mkdtemp(prefix="cartwheel-stack-", dir=within)
            # The server has stopped by then: callbacks run from the last to the first.
            ending.callback(shutil.rmtree, folder, ignore_errors=True)
            return started(Layer(program, name, folder))

        measured = [(text, layer(name), "event") for name, text in LAYERS.items()]
        if MEMORY.is_dir():
            measured.append(("+ the log, in memory", layer("log", MEMORY), "event"))
        measured.append(("+ fdatasync", layer("log"), "event"))
        server = started(Cartwheel(cartwheel, small_shop(cartwheel, work)))
        measured.append(("= /v1/events, with the log's readers", server, "event"))
        measured.append(("= /submit, with recommendations", server, "submit"))
        found = defaultdict(list)
        for _ in range(repeats):
            for clients in (1, 50):
                for text, each, kind in measured:
                    figures = measure_load(load, each, kind, clients, seconds, USERS)
                    found[text, clients, "/s"].append(figures["per_second"])
                    found[text, clients, "ms"].append(figures["p99_ms"])
    for clients in (1, 50):
        for text, _, _ in measured:
            add("stack", f"{text}, {clients} client(s)", found[text, clients, "/s"], "/s")
            add("stack", f"  p99: {text}, {clients} client(s)", found[text, clients, "ms"], "ms")
