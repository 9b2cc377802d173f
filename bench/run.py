#!/usr/bin/env python3
"""Measures cartwheel and its peers in one run and prints a table.

  bench/run.py CARTWHEEL LOAD STACK LOG_BENCH FOREST_BENCH SCORE SEARCH_BENCH [--quick] [--only PART]

Each figure is the median of five repetitions (three with --quick), interleaved with its
peer's, with the spread from least to most. All repetitions go to bench/results.json, or to the
path of --out; bench/compare.py compares two such files.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import figures
from checks import checks
from figures import add, ratio, run
from servers import Cartwheel
from serving import Serving, measure_load
from stack import stack

HERE = Path(__file__).resolve().parent


def features(cartwheel, work, repeats, quick):
    """The feature job against DuckDB, on the same import."""
    orders = 200_000 if quick else 1_000_000
    data, shop = work / "features", work / "shop"
    size = ["--users", str(orders // 15), "--products", "20000", "--orders", str(orders)]
    run(cartwheel, "generate", *size, "--out", shop)
    start = time.time()
    run(cartwheel, "--data-dir", data, "import", "instacart", shop)
    add("features", f"import of {orders} orders", [time.time() - start], "s")
    ours, theirs, phases, memory = [], [], [], []
    for _ in range(repeats):
        shutil.rmtree(data / "lake" / "features", ignore_errors=True)
        start = time.time()
        child = subprocess.Popen(
            [cartwheel, "--data-dir", data, "features"], stdout=subprocess.PIPE, text=True
        )
        text = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0
        ours.append(time.time() - start)
        memory.append(usage.ru_maxrss / 1024)
        found = dict(re.findall(r"(reading orders|folding users|catalogue|examples|writing) ([0-9.]+)", text))
        phases.append(float(found["reading orders"]) + float(found["folding users"]))
        with tempfile.TemporaryDirectory(dir=work) as out:
            start = time.time()
            run(sys.executable, HERE / "duckdb_tables.py", data / "lake/imports/current.json", out)
            theirs.append(time.time() - start)
    fold = add("features", "cartwheel: the same tables (read, fold)", phases, "s")
    whole = add("features", "cartwheel: all, with neighbours, examples, rows", ours, "s")
    duck = add("features", "DuckDB: user, product, user-product tables", theirs, "s", peer=True)
    add("features", "cartwheel: peak memory", memory, "MB")
    ratio("features", "the same tables / DuckDB", fold, duck, "target ≤ 0.5")
    ratio("features", "all / DuckDB", whole, duck)
    training(cartwheel, data, repeats)


def training(cartwheel, data, repeats):
    """Training on the newest feature set beside Python's xgboost, both as new processes."""
    (feature_set,) = (path for path in (data / "lake/features").iterdir() if path.is_dir())
    rounds = ["--set", "num_round=100", "--set", "early_stopping_rounds=100"]
    ours, theirs = [], []
    for _ in range(repeats):
        start = time.time()
        run(cartwheel, "--data-dir", data, "train", "--no-release", *rounds)
        ours.append(time.time() - start)
        (model,) = (data / "lake/models").iterdir()
        start = time.time()
        losses = json.loads(run(sys.executable, HERE / "xgboost_train.py", feature_set, model))
        theirs.append(time.time() - start)
        assert losses["ours"] == losses["theirs"], losses
    rows = json.loads((feature_set / "manifest.json").read_text())["train_rows"]
    mine = add("training", f"cartwheel: 100 rounds, {rows} rows", ours, "s")
    peer = add("training", "Python's xgboost, the same rows and losses", theirs, "s", peer=True)
    ratio("training", "cartwheel / Python's xgboost", mine, peer, "target ≤ 1.05")


def scale(cartwheel, load, work, repeats, seconds, quick):
    """A large shop: 32 million order lines of a million users, and 100,000 products."""
    users = 100_000 if quick else 1_000_000
    data, shop = work / "scale", work / "scale-shop"
    for part in (users // 32, users * 10 // 32, users):
        shutil.rmtree(data, ignore_errors=True)
        size = ["--users", str(part), "--products", str(users // 10), "--orders", str(part * 365 // 100)]
        run(cartwheel, "generate", *size, "--out", shop)
        run(cartwheel, "--data-dir", data, "import", "instacart", shop)
        shutil.rmtree(shop)
        jobs(cartwheel, data, work, repeats)
    run(cartwheel, "--data-dir", data, "train")
    server = Cartwheel(cartwheel, data)
    try:
        found = defaultdict(list)
        for _ in range(repeats):
            for clients in (1, 8):
                for key, value in measure_load(load, server, "recommend", clients, seconds, users).items():
                    found[key, clients].append(value)
        memory = server.memory()
    finally:
        server.stop()
    for clients in (1, 8):
        add("scale", f"recommendations, {clients} client(s)", found["per_second", clients], "/s")
        add("scale", f"  p50, {clients} client(s)", found["p50_ms", clients], "ms")
        note = "target ≤ 7" if clients == 8 else ""
        add("scale", f"  p99, {clients} client(s)", found["p99_ms", clients], "ms", note)
    add("scale", "resident memory after it", [memory], "MB")


def jobs(cartwheel, data, work, repeats):
    """The whole feature job of an import, beside three of its tables by DuckDB and by Spark."""
    seconds, memory, peers = [], [], defaultdict(list)
    for _ in range(repeats):
        shutil.rmtree(data / "lake" / "features", ignore_errors=True)
        took, peak = measured(cartwheel, "--data-dir", data, "features")
        seconds.append(took)
        memory.append(peak)
        for name in ("duckdb", "spark"):
            with tempfile.TemporaryDirectory(dir=work) as out:
                manifest = data / "lake/imports/current.json"
                found = json.loads(run(sys.executable, HERE / f"{name}_tables.py", manifest, out))
                peers[name].append(found["seconds"])
    (feature_set,) = (path for path in (data / "lake/features").iterdir() if path.is_dir())
    lines = json.loads((feature_set / "manifest.json").read_text())["lines"]
    whole = add("scale", f"feature job, {lines} lines", seconds, "s")
    add("scale", f"  peak memory, {lines} lines", memory, "MB", "target ≤ 2000")
    for name, title in (("duckdb", "DuckDB"), ("spark", "Spark")):
        peer = add("scale", f"{title}: three of its tables, {lines} lines", peers[name], "s", peer=True)
        ratio("scale", f"whole job / {title}'s tables, {lines} lines", whole, peer)


def measured(*command):
    """Runs a command and returns its seconds and its peak memory in MB."""
    start = time.time()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return time.time() - start, usage.ru_maxrss / 1024


def imports(cartwheel, work, repeats, quick):
    """The import of order lines against DuckDB, on the same CSV file."""
    rows = 2_000_000 if quick else 20_000_000
    program = HERE / "duckdb_import.py"
    peaks = {}
    for count, times in ((rows // 10, 1), (rows, repeats)):
        csv, out = work / f"{count}.csv", work / "duckdb"
        out.mkdir(exist_ok=True)
        run(sys.executable, program, "generate", csv, str(count))
        ours, theirs, memory, peer_memory = [], [], [], []
        for _ in range(times):
            data = work / "imported"
            seconds, peak = measured(cartwheel, "--data-dir", data, "import", "orders", csv)
            ours.append(seconds)
            memory.append(peak)
            shutil.rmtree(data)
            seconds, peak = measured(sys.executable, program, "import", csv, out)
            theirs.append(seconds)
            peer_memory.append(peak)
        peaks[count] = add("imports", f"cartwheel: peak memory, {count} lines", memory, "MB")
        csv.unlink()
    mine, duck = (
        add("imports", f"{name}: lines per second", [rows / t for t in times], "/s", peer=name == "DuckDB")
        for name, times in (("cartwheel", ours), ("DuckDB", theirs))
    )
    add("imports", f"DuckDB: peak memory, {rows} lines", peer_memory, "MB", peer=True)
    ratio("imports", "cartwheel / DuckDB, lines per second", mine, duck)
    ratio("imports", "peak memory, all lines / a tenth", peaks[rows], peaks[rows // 10])


# A line of divan's table: a benchmark's name or arguments, and in the third column the median.
DIVAN = re.compile(r"^(.*?)[├╰]─ (.+?)  +(?:[^│]*│){2} *(?:([0-9.]+) (ns|µs|ms|s))? *│")
MICROSECONDS = {"ns": 1e-3, "µs": 1, "ms": 1e3, "s": 1e6}


def divan_medians(text):
    """The medians of a run of divan in microseconds, by benchmark and arguments."""
    medians, bench = {}, ""
    for line in filter(None, map(DIVAN.match, text.splitlines())):
        indent, name, value, unit = line.groups()
        bench = bench if indent else name
        if value:
            medians[f"{bench} {name}" if indent else name] = float(value) * MICROSECONDS[unit]
    return medians


def scoring(forest, score, repeats):
    """The forest's own benchmark, then the same models and rows in other libraries."""
    ours = defaultdict(list)
    for _ in range(repeats):
        for name, us in divan_medians(run(forest, "--bench")).items():
            ours[name].append(us)
    for name, values in ours.items():
        add("scoring", name, values, "µs")
    calls = defaultdict(lambda: defaultdict(list))
    for line in run(sys.executable, HERE / "forest_peers.py", score, str(repeats)).splitlines():
        trees, depth, rows, who, us = line.split()
        calls[f"{trees} trees of depth {depth}, {rows} row(s)"][who].append(float(us))
    for case, by in calls.items():
        mine = add("scoring", f"cartwheel, {case}", by["cartwheel"], "µs")
        for who, name in (("xgboost", "XGBoost's C API"), ("tl2cgen", "tl2cgen")):
            peer = add("scoring", f"{name}, {case}", by[who], "µs", peer=True)
            ratio("scoring", f"cartwheel / {name}, {case}", mine, peer)


def searching(search, repeats):
    """Searches of the shop and the time to make their index."""
    found = {}
    for _ in range(repeats):
        for line in run(search, "--bench").splitlines():
            name, *figures = re.split(r"\s{2,}|: ", line.strip())
            if figures and name != "query":
                found.setdefault(name, []).append([float(figure.split()[0]) for figure in figures])
    for name, runs in found.items():
        add("search", name if len(runs[0]) == 1 else f"{name}, p50", [run[0] for run in runs], "ms")
        if len(runs[0]) > 1:
            add("search", f"{name}, p99", [run[1] for run in runs], "ms")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for program in ("cartwheel", "load", "stack", "log", "forest", "score", "search"):
        parser.add_argument(program)
    parser.add_argument("--quick", action="store_true")
    parts = ("features", "imports", "scoring", "endpoint", "search", "stack", "serving", "checks", "scale")
    parser.add_argument("--only", choices=parts)
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    options = parser.parse_args()
    repeats, seconds = (3, 1) if options.quick else (5, 3)
    work = Path(tempfile.mkdtemp(prefix="cartwheel-bench-", dir=os.environ.get("BENCH_DIR")))
    try:
        if options.only in (None, "scoring"):
            scoring(options.forest, options.score, repeats)
        if options.only in (None, "endpoint"):
            # Needs packages that the tests of the recording do without.
            from endpoint import endpoint

            endpoint(options.cartwheel, options.load, work, repeats, seconds)
        if options.only in (None, "search"):
            searching(options.search, repeats)
        if options.only in (None, "stack"):
            stack(options.cartwheel, options.stack, options.load, work, repeats, seconds)
        if options.only in (None, "serving"):
            programs = options.cartwheel, options.load, options.stack, options.log
            serving = Serving(*programs, work, repeats, seconds)
            serving.whole()
            serving.degraded()
        if options.only in (None, "checks"):
            checks(options.cartwheel, options.load, options.log, work, repeats, seconds)
        if options.only in (None, "features"):
            features(options.cartwheel, work, repeats, options.quick)
        if options.only in (None, "scale"):
            scale(options.cartwheel, options.load, work, repeats, seconds, options.quick)
        if options.only in (None, "imports"):
            imports(options.cartwheel, work, repeats, options.quick)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        figures.save(options.out, options.quick)


if __name__ == "__main__":
    main()
