#!/usr/bin/env python3
"""Measures cartwheel beside its peers in one run and prints a table.

  bench/run.py CARTWHEEL LOAD LOG_BENCH FOREST_BENCH [--quick] [--only PART]

Each figure is the median of five runs (three with --quick), interleaved with its
peer's, with the spread from least to most. Writes bench/results.json.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = []


def add(part, name, values, unit, note=""):
    values = sorted(values)
    row = {"part": part, "name": name, "median": statistics.median(values),
           "least": values[0], "most": values[-1], "unit": unit, "note": note}
    RESULTS.append(row)
    print("%-12s %-46s %12.4g %-8s (%.4g to %.4g) %s"
          % (part, name, row["median"], unit, row["least"], row["most"], note), flush=True)
    return row["median"]


def ratio(part, name, value, note=""):
    add(part, name, [value], "×", note)


def run(*args, **kwargs):
    return subprocess.run(args, check=True, capture_output=True, text=True, **kwargs).stdout


DUCKDB = """
import duckdb, json, os, sys, time
manifest, out = json.load(open(sys.argv[1])), sys.argv[2]
lake = os.path.dirname(os.path.dirname(sys.argv[1]))
files = lambda key: [os.path.join(lake, p) for p in manifest[key]]
db = duckdb.connect()
db.execute("SET threads = %d" % os.cpu_count())
start = time.time()
db.execute("CREATE VIEW o AS SELECT * FROM read_parquet(%r) WHERE eval_set <> 'test'" % files("orders"))
db.execute("CREATE VIEW l AS SELECT p.* FROM read_parquet(%r) p "
           "SEMI JOIN o USING (order_id)" % files("order_products"))
db.execute("CREATE TABLE up AS SELECT user_id, product_id, count(*) up_order_count,"
           " min(order_number) up_first_order_number, max(order_number) up_last_order_number,"
           " avg(add_to_cart_order) up_avg_cart_position, sum(reordered) reordered FROM l GROUP BY ALL")
db.execute("CREATE TABLE u AS SELECT * FROM (SELECT user_id, max(order_number) user_orders,"
           " sum(coalesce(days_since_prior_order, 0)) user_periods,"
           " avg(coalesce(days_since_prior_order, 0)) user_mean_days_since_prior FROM o GROUP BY ALL)"
           " JOIN (SELECT user_id, count(*) user_products, count(DISTINCT product_id) user_distinct_products,"
           " sum(reordered) / nullif(sum((order_number > 1)::int), 0) user_reorder_ratio FROM l GROUP BY ALL)"
           " USING (user_id)")
db.execute("CREATE TABLE p AS SELECT product_id, sum(up_order_count) prod_orders, sum(reordered) prod_reorders,"
           " count(*) prod_first_orders, sum((up_order_count > 1)::int) prod_second_orders FROM up GROUP BY ALL")
for table in ("up", "u", "p"):
    db.execute("COPY %s TO '%s/%s.parquet' (FORMAT parquet, COMPRESSION zstd)" % (table, out, table))
print(json.dumps({"seconds": time.time() - start,
                  "checks": db.execute("SELECT (SELECT sum(user_products) FROM u), (SELECT count(*) FROM u)").fetchone()}))
"""


def features(cartwheel, work, repeats, quick):
    orders = 200_000 if quick else 1_000_000
    data, shop = os.path.join(work, "features"), os.path.join(work, "shop")
    run(cartwheel, "generate", "--users", str(orders // 15), "--products", "20000",
        "--orders", str(orders), "--out", shop)
    start = time.time()
    run(cartwheel, "--data-dir", data, "import", "instacart", shop)
    add("features", "import of %d orders" % orders, [time.time() - start], "s")
    manifest = os.path.join(data, "lake", "imports", "current.json")
    ours, theirs, phases, memory = [], [], [], []
    for _ in range(repeats):
        shutil.rmtree(os.path.join(data, "lake", "features"), ignore_errors=True)
        start = time.time()
        child = subprocess.Popen([cartwheel, "--data-dir", data, "features"], stdout=subprocess.PIPE, text=True)
        text = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0
        ours.append(time.time() - start)
        memory.append(usage.ru_maxrss / 1024)
        found = dict(re.findall(r"(reading orders|folding users|catalogue|examples|writing) ([0-9.]+)", text))
        phases.append(float(found["reading orders"]) + float(found["folding users"]))
        out = tempfile.mkdtemp(dir=work)
        start = time.time()
        run(sys.executable, "-c", DUCKDB, manifest, out)
        theirs.append(time.time() - start)
        shutil.rmtree(out)
    fold = add("features", "cartwheel: the same tables (read, fold)", phases, "s")
    whole = add("features", "cartwheel: all, with neighbours, examples, rows", ours, "s")
    duck = add("features", "DuckDB: user, product, user-product tables", theirs, "s")
    add("features", "cartwheel: peak memory", memory, "MB")
    ratio("features", "the same tables / DuckDB", fold / duck, "target ≤ 0.5")
    ratio("features", "all / DuckDB", whole / duck)


PREDICT = """
import numpy, sys, time, xgboost
rng = numpy.random.default_rng(1)
rows = rng.normal(size=(4000, 20)).astype(numpy.float32)
data = xgboost.DMatrix(rows, label=(rng.random(4000) < 0.5))
model = xgboost.train({"max_depth": 6, "objective": "binary:logistic", "nthread": 1,
                       "min_child_weight": 0, "eta": 0.3}, data, 100)
model.set_param({"nthread": 1})
for n in (1, 200, 1000):
    batch, best = rows[:n], []
    for _ in range(7):
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < 0.15:
            model.inplace_predict(batch); count += 1
        best.append((time.perf_counter() - start) / count)
    print(n, sorted(best)[3] * 1e6)
"""


def scoring(forest):
    theirs = dict((int(n), float(us)) for n, us in
                  (line.split() for line in run(sys.executable, "-c", PREDICT).splitlines()))
    text = run(forest, "--bench")
    print("\n".join("             " + line for line in text.splitlines() if line.strip()), flush=True)
    for n, us in theirs.items():
        add("scoring", "XGBoost inplace_predict, %d row(s), 100 trees" % n, [us], "µs")


class Server:
    def __init__(self, cartwheel, data, whole=True):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % probe.getsockname()[1]
        start = time.time()
        self.child = subprocess.Popen([cartwheel, "--data-dir", data, "serve", "--listen", self.address],
                                      stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen("http://%s/readyz" % self.address, timeout=1).read()
                break
            except OSError as error:
                if not whole and isinstance(error, urllib.error.HTTPError):
                    break  # It answers, and says what it lacks.
                assert time.time() - start < 60 and self.child.poll() is None
                time.sleep(0.002)
        self.started = time.time() - start

    def memory(self):
        with open("/proc/%d/status" % self.child.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(timeout=60)


def redis(work):
    """Redis with appendfsync always on a free port, or none where it is not installed."""
    program = shutil.which("redis-server")
    if not program:
        print("redis-server is not installed: its figures are left out (apt-get install redis-server)")
        return None, None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    child = subprocess.Popen([program, "--port", port, "--bind", "127.0.0.1", "--dir", work, "--save", "",
                              "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL)
    time.sleep(1)
    return child, port


class Echo:
    """A server of axum alone, which gives each body back."""

    def __init__(self, load):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % probe.getsockname()[1]
        self.child = subprocess.Popen([load, self.address, "serve-echo"], stdin=subprocess.PIPE)
        time.sleep(0.5)

    def stop(self):
        self.child.stdin.close()
        self.child.wait(timeout=10)


def xadd(port, clients, pipeline=1):
    count = "2000" if clients == 1 and pipeline == 1 else "40000" if pipeline == 1 else "200000"
    text = run("redis-benchmark", "-p", port, "-c", str(clients), "-n", count, "-P", str(pipeline), "--csv",
               "XADD", "events", "*", "d", "x" * 200)
    cells = text.splitlines()[-1].replace('"', "").split(",")
    return float(cells[-7]), float(cells[-2])


def serving(cartwheel, load, log, work, repeats, seconds):
    data, shop = os.path.join(work, "serving"), os.path.join(work, "small")
    run(cartwheel, "generate", "--out", shop)
    run(cartwheel, "--data-dir", data, "import", "instacart", shop)
    run(cartwheel, "--data-dir", data, "features")
    run(cartwheel, "--data-dir", data, "train")
    server = Server(cartwheel, data)
    child, port = redis(work)
    echo = Echo(load)
    try:
        figures = {}

        def keep(key, value):
            figures.setdefault(key, []).append(value)

        for _ in range(repeats):
            for line in run(log, "--bench", cwd=work).splitlines():
                found = json.loads(line)
                keep(("log", found["name"]), found["per_second"])
            for clients in (1, 50):
                found = json.loads(run(load, server.address, "submit", str(clients), str(seconds), "2000"))
                keep(("http", clients), found["per_second"])
                keep(("http p99", clients), found["p99_ms"])
                if child:
                    rate, p99 = xadd(port, clients)
                    keep(("redis", clients), rate)
                    keep(("redis p99", clients), p99)
                found = json.loads(run(load, echo.address, "echo", str(clients), str(seconds), "2000"))
                keep(("echo", clients), found["per_second"])
            found = json.loads(run(load, server.address, "batch", "4", str(seconds), "2000"))
            keep(("http", "batch"), found["per_second"] * 500)
            keep(("http p99", "batch"), found["p99_ms"])
            if child:
                rate, p99 = xadd(port, 4, pipeline=500)
                keep(("redis", "batch"), rate)
                keep(("redis p99", "batch"), p99)
            for clients in (1, 8):
                found = json.loads(run(load, server.address, "recommend", str(clients), str(seconds), "2000"))
                for key in ("per_second", "p50_ms", "p99_ms"):
                    keep((key, clients), found[key])
        # Beside a run of the pipeline, of which training takes nearly all.
        start = urllib.request.Request("http://%s/v1/pipeline/executions" % server.address,
                                       json.dumps({"hyperparameters": {"seed": "2"}}).encode(),
                                       {"content-type": "application/json"})
        urllib.request.urlopen(start, timeout=10).read()
        for _ in range(repeats):
            found = json.loads(run(load, server.address, "recommend", "8", str(seconds), "2000"))
            keep(("p99_ms", "run"), found["p99_ms"])
        for name, values in figures.items():
            if name[0] == "log":
                add("log", name[1], values, "/s")
        for clients in (1, 50):
            ours = add("ingest", "cartwheel over HTTP, %d client(s)" % clients, figures["http", clients], "/s")
            add("ingest", "  p99", figures["http p99", clients], "ms")
            if child:
                theirs = add("ingest", "Redis XADD, fsync always, %d client(s)" % clients,
                             figures["redis", clients], "/s")
                add("ingest", "  p99", figures["redis p99", clients], "ms")
                ratio("ingest", "cartwheel / Redis, %d client(s)" % clients, ours / theirs,
                      "target ≥ %s" % ("1.2 (log alone)" if clients == 1 else "1.5"))
            bare = add("ingest", "axum alone, giving the body back, %d client(s)" % clients,
                       figures["echo", clients], "/s")
            ratio("ingest", "cartwheel / axum alone, %d client(s)" % clients, ours / bare, "target ≥ 0.5")
        ours = add("ingest", "cartwheel over HTTP, 4 clients, 500 a request", figures["http", "batch"], "/s")
        add("ingest", "  p99 of a request", figures["http p99", "batch"], "ms")
        if child:
            theirs = add("ingest", "Redis XADD, 4 clients, 500 a pipeline", figures["redis", "batch"], "/s")
            add("ingest", "  p99", figures["redis p99", "batch"], "ms")
            ratio("ingest", "cartwheel / Redis, batches", ours / theirs, "target ≥ 2")
        for clients in (1, 8):
            add("recommend", "requests, %d client(s)" % clients, figures["per_second", clients], "/s")
            add("recommend", "  p50", figures["p50_ms", clients], "ms")
            add("recommend", "  p99", figures["p99_ms", clients], "ms", "target ≤ 3" if clients == 8 else "")
        busy = add("recommend", "  p99, 8 clients, beside a pipeline run", figures["p99_ms", "run"], "ms")
        ratio("recommend", "  p99 beside a run / at rest", busy / statistics.median(figures["p99_ms", 8]),
              "target ≤ 2")
    finally:
        echo.stop()
        if child:
            child.terminate()
            child.wait()
        server.stop()
    found = [json.loads(line) for line in run(log, "--bench", "--restart", cwd=work).splitlines()]
    opened = add("restart", "opening a log of %d MB" % found[0]["megabytes"], [f["open_s"] for f in found], "s")
    verified = add("restart", "reading it whole, every record checked", [f["verify_s"] for f in found], "s")
    bound = add("restart", "its bytes and their CRC alone", [f["read_and_crc_s"] for f in found], "s")
    ratio("restart", "bytes alone / opening", bound / opened, "target ≥ 0.5")
    ratio("restart", "bytes alone / reading", bound / verified)
    # The run that was cut off is not to go on beside what follows.
    run(cartwheel, "--data-dir", data, "pipeline", "stop")
    starts, memory = [], []
    for _ in range(repeats):
        server = Server(cartwheel, data)
        starts.append(server.started * 1e3)
        time.sleep(0.5)
        memory.append(server.memory())
        server.stop()
    add("start", "to ready, with data in place", starts, "ms", "target ≤ 200")
    add("start", "resident memory at rest", memory, "MB")


def degraded(cartwheel, load, work, repeats, seconds):
    """Answers while something is missing, from the data that serving() has left."""
    data = os.path.join(work, "serving")
    releases = os.path.join(data, "lake", "releases")
    models = os.path.join(data, "lake", "models")
    store, aside = os.path.join(data, "sessions.redb"), os.path.join(work, "aside")

    def without(path, directory):
        os.rename(path, aside)
        if directory:
            os.mkdir(path)

    def back(path):
        if os.path.isdir(path):
            os.rmdir(path)
        os.rename(aside, path)

    for name, path, directory in (("catalogue and features", releases, False), ("model", models, False),
                                  ("session store", store, True)):
        without(path, directory)
        server = Server(cartwheel, data, whole=False)
        try:
            ask = urllib.request.Request("http://%s/v1/recommendations" % server.address,
                                         json.dumps({"user_id": "7"}).encode(),
                                         {"content-type": "application/json"})
            answer = json.load(urllib.request.urlopen(ask, timeout=10))
            assert answer["degraded"], "without %s: %s" % (name, answer)
            times = [json.loads(run(load, server.address, "recommend", "8", str(seconds), "2000"))["p99_ms"]
                     for _ in range(repeats)]
        finally:
            server.stop()
            back(path)
        add("degraded", "p99 without %s, 8 clients" % name, times, "ms", "target < 50")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("cartwheel")
    ap.add_argument("load")
    ap.add_argument("log")
    ap.add_argument("forest")
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--only", choices=("features", "scoring", "serving"))
    a = ap.parse_args()
    repeats = 3 if a.quick else 5
    work = tempfile.mkdtemp(prefix="cartwheel-bench-", dir=os.environ.get("BENCH_DIR"))
    try:
        if a.only in (None, "scoring"):
            scoring(a.forest)
        if a.only in (None, "serving"):
            serving(a.cartwheel, a.load, a.log, work, repeats, 1 if a.quick else 3)
            degraded(a.cartwheel, a.load, work, repeats, 1 if a.quick else 3)
        if a.only in (None, "features"):
            features(a.cartwheel, work, repeats, a.quick)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        with open(os.path.join(HERE, "results.json"), "w") as f:
            json.dump(RESULTS, f, indent=1)


if __name__ == "__main__":
    main()
