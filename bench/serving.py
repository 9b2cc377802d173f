"""Figures of the server: ingest, recommendations, restart, and answers without some of its data."""

import json
import time
from collections import defaultdict

from figures import add, ratio, run
from servers import Cartwheel, Layer, Redis


def measure_load(program, server, kind, clients, seconds, users):
    """What the load generator measures with so many clients, of users 0 to `users`."""
    return json.loads(run(program, server.address, kind, str(clients), str(seconds), str(users)))


def small_shop(cartwheel, work):
    """The data directory of a small shop, with a model."""
    shop, data = work / "small", work / "serving"
    if not data.exists():
        run(cartwheel, "generate", "--out", shop)
        run(cartwheel, "--data-dir", data, "import", "instacart", shop)
        run(cartwheel, "--data-dir", data, "features")
        run(cartwheel, "--data-dir", data, "train")
    return data


class Serving:
    """Measures one shop's server; `degraded` uses the data that `whole` leaves."""

    def __init__(self, cartwheel, load, stack, log, work, repeats, seconds):
        self.cartwheel, self.log, self.load_program, self.stack = cartwheel, log, load, stack
        self.work, self.repeats, self.seconds = work, repeats, seconds
        self.data = small_shop(cartwheel, work)

    def load(self, server, kind, clients):
        """What the load generator measures with so many clients."""
        return measure_load(self.load_program, server, kind, clients, self.seconds, 2000)

    def whole(self):
        server = Cartwheel(self.cartwheel, self.data)
        redis = Redis.start(self.work)
        echo = Layer(self.stack, "axum", self.work)
        try:
            figures = self.measure(server, redis, echo)
        finally:
            for process in filter(None, (echo, redis, server)):
                process.stop()
        found = {}
        for (kind, name), values in figures.items():
            if kind == "log":
                found[name] = add("log", name, values, "/s", peer=name == "bound_1")
        ratio("log", "the log / the disk, 1 client", found["log_1x1"], found["bound_1"])
        report_ingest(figures)
        report_recommendations(figures)
        report_lists(figures)
        self.restart()
        # The interrupted execution must not continue during the next measurements.
        run(self.cartwheel, "--data-dir", self.data, "pipeline", "stop")
        self.start()

    def measure(self, server, redis, echo):
        """Interleaves the peers' repetitions; the values by (what, clients)."""
        figures = defaultdict(list)
        for _ in range(self.repeats):
            for line in run(self.log, "--bench", cwd=self.work).splitlines():
                found = json.loads(line)
                figures["log", found["name"]].append(found["per_second"])
            for clients in (1, 50):
                found = self.load(server, "event", clients)
                figures["http", clients].append(found["per_second"])
                figures["http p99", clients].append(found["p99_ms"])
                if redis:
                    rate, p99 = redis.xadd(clients)
                    figures["redis", clients].append(rate)
                    figures["redis p99", clients].append(p99)
                figures["echo", clients].append(self.load(echo, "event", clients)["per_second"])
            found = self.load(server, "batch", 4)
            figures["http", "batch"].append(found["per_second"] * 500)
            figures["http p99", "batch"].append(found["p99_ms"])
            if redis:
                rate, p99 = redis.xadd(4, pipeline=500)
                figures["redis", "batch"].append(rate)
                figures["redis p99", "batch"].append(p99)
            for clients in (1, 8):
                for kind in ("page", "rank", "search"):
                    found = self.load(server, kind, clients)
                    for key in ("per_second", "p99_ms"):
                        figures[f"{kind} {key}", clients].append(found[key])
                found = self.load(server, "recommend", clients)
                for key in ("per_second", "p50_ms", "p99_ms"):
                    figures[key, clients].append(found[key])
        # During an execution of the pipeline, most of which is training.
        server.post("/v1/pipeline/executions", json.dumps({"hyperparameters": {"seed": "2"}})).read()
        for _ in range(self.repeats):
            figures["p99_ms", "run"].append(self.load(server, "recommend", 8)["p99_ms"])
        return figures

    def restart(self):
        lines = run(self.log, "--bench", "--restart", cwd=self.work).splitlines()
        found = [json.loads(line) for line in lines]

        def report(name, key, peer=False):
            return add("restart", name, [each[key] for each in found], "s", peer=peer)

        opened = report(f"opening a log of {found[0]['megabytes']:.0f} MB", "open_s")
        verified = report("reading it, every record checked", "verify_s")
        bound = report("reading its bytes and computing their CRC", "read_and_crc_s", peer=True)
        ratio("restart", "bytes alone / opening", bound, opened, "target ≥ 0.5")
        ratio("restart", "bytes alone / reading", bound, verified)

    def start(self):
        starts, memory = [], []
        for _ in range(self.repeats):
            server = Cartwheel(self.cartwheel, self.data)
            starts.append(server.started * 1e3)
            time.sleep(0.5)
            memory.append(server.memory())
            server.stop()
        add("start", "to ready, with data in place", starts, "ms", "target ≤ 200")
        add("start", "resident memory at rest", memory, "MB")

    def degraded(self):
        """Recommendations while a part of the data is missing."""
        aside = self.work / "aside"
        parts = {
            "catalogue and features": self.data / "lake" / "features",
            "model": self.data / "lake" / "models",
            "session store": self.data / "sessions.redb",
        }
        for name, path in parts.items():
            path.rename(aside)
            # A directory in the place of the store's file keeps it from being created anew.
            if aside.is_file():
                path.mkdir()
            server = Cartwheel(self.cartwheel, self.data, whole=False)
            try:
                answer = json.load(server.post("/v1/recommendations", json.dumps({"user_id": "7"})))
                assert answer["degraded"], f"without {name}: {answer}"
                times = [self.load(server, "recommend", 8)["p99_ms"] for _ in range(self.repeats)]
            finally:
                server.stop()
                if path.is_dir():
                    path.rmdir()
                aside.rename(path)
            add("degraded", f"p99 without {name}, 8 clients", times, "ms", "target < 50")


def report_ingest(figures):
    for clients in (1, 50):
        ours = add("ingest", f"cartwheel over HTTP, {clients} client(s)", figures["http", clients], "/s")
        add("ingest", f"  p99, {clients} client(s)", figures["http p99", clients], "ms")
        if figures["redis", clients]:
            name = f"Redis XADD, fsync always, {clients} client(s)"
            theirs = add("ingest", name, figures["redis", clients], "/s", peer=True)
            add("ingest", f"  Redis p99, {clients} client(s)", figures["redis p99", clients], "ms", peer=True)
            target = "1.2 (log alone)" if clients == 1 else "1.5"
            ratio("ingest", f"cartwheel / Redis, {clients} client(s)", ours, theirs, f"target ≥ {target}")
        name = f"axum alone, echo, {clients} client(s)"
        bare = add("ingest", name, figures["echo", clients], "/s", peer=True)
        ratio("ingest", f"cartwheel / axum alone, {clients} client(s)", ours, bare, "target ≥ 0.5")
    ours = add("ingest", "cartwheel over HTTP, 4 clients, 500 a request", figures["http", "batch"], "/s")
    add("ingest", "  p99 of a request, 500 events", figures["http p99", "batch"], "ms")
    if figures["redis", "batch"]:
        name = "Redis XADD, 4 clients, 500 a pipeline"
        theirs = add("ingest", name, figures["redis", "batch"], "/s", peer=True)
        add("ingest", "  Redis p99, 500 a pipeline", figures["redis p99", "batch"], "ms", peer=True)
        ratio("ingest", "cartwheel / Redis, batches", ours, theirs, "target ≥ 2")


def report_recommendations(figures):
    for clients in (1, 8):
        add("recommend", f"requests, {clients} client(s)", figures["per_second", clients], "/s")
        add("recommend", f"  p50, {clients} client(s)", figures["p50_ms", clients], "ms")
        note = "target ≤ 3" if clients == 8 else ""
        rest = add("recommend", f"  p99, {clients} client(s)", figures["p99_ms", clients], "ms", note)
    busy = add("recommend", "  p99, 8 clients, during an execution", figures["p99_ms", "run"], "ms")
    ratio("recommend", "  p99 during an execution / at rest", busy, rest, "target ≤ 2")


def report_lists(figures):
    lists = {
        "page": ("a page of five placements", 8),
        "rank": ("1,000 products ranked", 10),
        "search": ("a search, while typing", 5),
    }
    for kind, (name, target) in lists.items():
        for clients in (1, 8):
            add("lists", f"{name}, {clients} client(s)", figures[f"{kind} per_second", clients], "/s")
            note = f"target ≤ {target}" if clients == 8 else ""
            add("lists", f"{name}, p99, {clients} client(s)", figures[f"{kind} p99_ms", clients], "ms", note)
