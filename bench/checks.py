"""What the checks cost: keys with their scopes and limits, beside a server without keys; checksums, beside
the work whose result they protect. What cannot be left out is measured on its own."""

import json
import os
import shutil
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from figures import add, ratio, run
from servers import Cartwheel
from serving import measure_load, small_shop

KINDS = (("submit", 1), ("submit", 50), ("batch", 4), ("recommend", 8))


def checks(cartwheel, load, log, work, repeats, seconds):
    keys(cartwheel, load, work, repeats, seconds)
    if log:
        checksums(log, repeats)


def keys(cartwheel, load, work, repeats, seconds):
    """Two servers over the same data, of which one asks for a key, in turn."""
    data = small_shop(cartwheel, work)
    # Requests are counted, and none is refused.
    os.environ["CARTWHEEL_SERVER_RATE_PER_KEY"] = "1000000000"
    found = defaultdict(list)
    with ExitStack() as stack:
        servers = {}
        for name in ("without keys", "with keys"):
            own = Path(work) / name.replace(" ", "-")
            shutil.copytree(data, own)
            key = ""
            if name == "with keys":
                made = run(
                    cartwheel, "--data-dir", own, "keys", "create", "bench", "--scope", "admin", "--json"
                )
                key = json.loads(made)["key"] + "@"
            server = Cartwheel(cartwheel, own)
            stack.callback(server.stop)
            server.address = key + server.address
            servers[name] = server
        for _ in range(repeats):
            for kind, clients in KINDS:
                for name, server in servers.items():
                    one = measure_load(load, server, kind, clients, seconds, 2000)
                    found[kind, clients, name, "/s"].append(
                        one["per_second"] * (500 if kind == "batch" else 1)
                    )
                    found[kind, clients, name, "ms"].append(one["p99_ms"])
    for kind, clients in KINDS:
        for unit, what in (("/s", "rate"), ("ms", "p99")):
            rows = {}
            for name in servers:
                title = f"{kind}, {clients} clients, {name}: {what}"
                rows[name] = add("checks", title, found[kind, clients, name, unit], unit)
            ratio(
                "checks", f"{kind}, {clients}: {what} with / without", rows["with keys"], rows["without keys"]
            )


def checksums(log, repeats):
    """The checksum of a record beside its encoding."""
    found = defaultdict(list)
    for _ in range(repeats):
        for line in run(log, "--checksums").splitlines():
            row = json.loads(line)
            found[row["name"]].append(1e6 / row["per_second"])
    encode = add("checks", "encoding of a record", found["encode"], "µs")
    checksum = add("checks", "its checksum", found["checksum"], "µs")
    ratio("checks", "checksum / encoding", checksum, encode)
