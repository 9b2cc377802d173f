#!/usr/bin/env python3
"""Compares cartwheel's recommendations with published methods and writes the tables of docs/quality.md.

  bench/quality/run.py CARTWHEEL PEER_PYTHON [FOLDER...] [--setting NAME=VALUE]... [--install-log FILE]

Each folder holds a shop in the Instacart schema whose orders marked `test` are predicted, or click
sessions (train.csv, test.csv) whose next clicks are; without one, a synthetic shop is generated. cartwheel
runs with its settings as they come, and once more for each --setting, a variable such as
CARTWHEEL_TRAIN_SEED=2: so a part that can be switched off shows its worth. Peers are tuned on the newest
orders or sessions before those that are predicted. Every process is measured alone.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import page
from clicks import METHODS as CLICK_METHODS
from clicks import Clicks
from peers import METHODS
from shop import Shop

# What the columns of click sessions mean to `cartwheel import events`.
CLICKS_MAPPING = ("--map", "anonymous_id=session_id", "--map", "product_id=item_id")
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def measured(command, log, environment=None, limit=None):
    """Runs a command. Returns its seconds, its peak memory in MB, and its error if it failed."""
    start = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        late = False
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if limit and time.monotonic() - start > limit and not late:
                late = True
                child.kill()
            time.sleep(0.02)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds, memory = time.monotonic() - start, usage.ru_maxrss / 1024
    if late:
        return seconds, memory, f"stopped after {limit} s"
    if child.returncode:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        lines = lines or [f"ended by signal {-child.returncode}" if child.returncode < 0 else "no output"]
        return seconds, memory, lines[-1][:200]
    return seconds, memory, None


def is_clicks(folder):
    """Whether the folder holds click sessions, not orders."""
    return any((folder / name).exists() for name in ("train.csv", "train.csv.gz"))


class Cartwheel:
    """The program with a data directory of its own."""

    def __init__(self, binary, work, environment=None):
        self.binary, self.work, self.environment = binary, Path(work), environment
        self.data = self.work / "data"

    def run(self, *arguments):
        command = [self.binary, "--data-dir", self.data, *arguments]
        seconds, memory, error = measured(command, self.work / "log", self.environment)
        if error:
            raise SystemExit(f"cartwheel {' '.join(map(str, arguments))}: {error}")
        return seconds, memory

    def predict(self, folder):
        """Imports the shop, runs the pipeline and predicts. Returns the row of the table."""
        out = self.work / "lists.json"
        if is_clicks(folder):
            packed = folder / "train.csv.gz"
            self.run("import", "events", packed if packed.exists() else folder / "train.csv", *CLICKS_MAPPING)
            asked = ["--sessions", folder]
        else:
            self.run("import", "instacart", folder)
            asked = ["--users", "test"]
        learning = self.run("pipeline", "run")
        asking = self.run("predict", *asked, "--limit", "20", "--out", out)
        text = out.read_text("utf-8")
        if is_clicks(folder):
            found = map(json.loads, text.splitlines())
            lists = {(str(one["session_id"]), one["position"]): one["items"] for one in found}
        else:
            lists = json.loads(text)
        return {
            "lists": lists,
            "seconds": learning[0] + asking[0],
            "memory": max(learning[1], asking[1]),
        }

    def report(self):
        """The evaluation on the gate's users, or None if the model was judged by cross-validation."""
        command = [self.binary, "--data-dir", self.data, "--json", "evaluate"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None


def peer(python, name, folder, work, limit):
    """Runs a peer. Returns the row of the table, with `error` if it gave no lists."""
    out = Path(work, "lists.json")
    command = [python, HERE / "fit.py", name, folder, out]
    seconds, memory, error = measured(command, Path(work, "log"), limit=limit)
    row = {"seconds": seconds, "memory": memory, "error": error}
    if error:
        return row
    row |= json.loads(out.read_text("utf-8"))
    if isinstance(row["lists"], list):
        row["lists"] = {(session, position): items for session, position, items in row["lists"]}
    return row


def compare(options, name, folder, work):
    """Runs everything on one shop."""
    shop = Clicks(folder) if is_clicks(folder) else Shop(folder)
    print(f"{name}: {shop.sizes()}", flush=True)
    rows = {}

    def add(method, row):
        if "lists" in row:
            row["scores"] = shop.scores(row.pop("lists"))
            values = row["scores"][shop.main]
            shown = f"{shop.main} {sum(values) / len(values):.4f}"
        else:
            shown = row["error"]
        print(f"  {method:<40} {shown}  {row['seconds']:.1f} s  {row['memory']:.0f} MB", flush=True)
        rows[method] = row

    with tempfile.TemporaryDirectory(dir=work) as place:
        program = Cartwheel(options.cartwheel, place)
        add("cartwheel", program.predict(folder))
        report = program.report()
    for setting in options.setting:
        variable, _, value = setting.partition("=")
        with tempfile.TemporaryDirectory(dir=work) as place:
            program = Cartwheel(options.cartwheel, place, {variable: value})
            add(f"cartwheel, {setting}", program.predict(folder))
    for method in CLICK_METHODS if is_clicks(folder) else METHODS:
        with tempfile.TemporaryDirectory(dir=work) as place:
            if options.install_log:
                lines = options.install_log.read_text("utf-8", "replace").strip().splitlines()
                reason = f"the peers cannot be installed: {(lines or ['no output'])[-1][:200]}"
                add(method, {"seconds": 0.0, "memory": 0.0, "error": reason})
            else:
                add(method, peer(options.peer_python, method, folder, place, options.limit))
    return {
        "name": name,
        "sizes": shop.sizes(),
        "main": shop.main,
        "groups": shop.groups(),
        "rows": rows,
        "report": report,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cartwheel", type=Path)
    parser.add_argument("peer_python", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for a peer")
    parser.add_argument("--install-log", type=Path, help="why the peers cannot run")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/quality.md")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs/img")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="cartwheel-quality-"))
    try:
        folders = {page.name(folder): folder for folder in options.folders}
        if not folders:
            folders = {"synthetic shop": work / "shop"}
            size = ["--users", "2000", "--products", "2000", "--orders", "30000"]
            command = [options.cartwheel, "generate", *size, "--out", work / "shop"]
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        results = [compare(options, name, folder, work) for name, folder in folders.items()]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    (HERE / "results.json").write_text(json.dumps(results), encoding="utf-8")
    page.write(options.page, options.pictures, results)
    failed = [f"{r['name']}: {m}" for r in results for m, row in r["rows"].items() if row.get("error")]
    if failed:
        sys.exit("these peers have no figures: " + "; ".join(failed))


if __name__ == "__main__":
    main()
