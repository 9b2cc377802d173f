#!/usr/bin/env python3
"""Compares cartwheel's recommendations with published methods and writes the sections of docs/quality.md.

  bench/quality/run.py CARTWHEEL PEER_PYTHON [FOLDER...] [options]

Each folder holds a shop in the Instacart schema whose orders marked `test` are predicted, or click
sessions (train.csv, test.csv) whose next clicks are; without one, a synthetic shop is generated. cartwheel
runs with its settings as they come, once more for each --setting, a variable such as
CARTWHEEL_TRAIN_SEED=2, once without each source of candidates, and once with a model that learns nothing
of each subject of features. Peers are tuned on the newest
orders or sessions before those that are predicted. Every process is measured alone.

Rows are kept in bench/quality/results, also those of a run that was interrupted: they are measured again
if the program, its settings, the scripts or the data have changed.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import page
import similar
from clicks import METHODS as CLICK_METHODS
from clicks import Clicks
from kept import Kept, fingerprint, own_settings, slug
from peers import METHODS
from program import Cartwheel, Failed, Row, is_clicks, peer, scores
from shop import Shop

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# The setting `recommend.without` takes one of them or several.
SOURCES = ("seen", "cart", "search", "visit", "taste", "next", "affinity", "content")
# The setting `train.without` takes one of them or several.
SUBJECTS = (
    "habit",
    "cart",
    "search",
    "visit",
    "taste",
    "next",
    "affinity",
    "content",
    "aisle",
    "popularity",
    "customer",
    "moment",
)
# What the figures of cartwheel and of a peer depend on, apart from the shop and the program.
OWN_FILES = ("program.py", "similar.py")
PEER_FILES = ("fit.py", "peers.py", "shop.py", "clicks.py", "requirements.txt")


def compare(options: argparse.Namespace, name: str, folder: Path, work: Path) -> page.Result:
    """Runs everything on one shop."""
    shop = Clicks(folder) if is_clicks(folder) else Shop(folder)
    print(f"{name}: {shop.sizes()}", flush=True)
    kept = Kept(options.results / slug(name), folder)
    own = fingerprint([options.cartwheel, *(HERE / file for file in OWN_FILES)], own_settings())
    program = Cartwheel(options.cartwheel, folder, work, options.limit)

    def add(method: str, inputs: str, measure: Callable[[], Row]) -> Row:
        row, was_kept = kept.row(method, inputs, measure)
        if "lists" in row:
            row["scores"] = scores(shop, row)
            del row["lists"]
            values = row["scores"][shop.metrics[0]]
            shown = f"{shop.metrics[0]} {sum(values) / len(values):.4f}"
        else:
            shown = row["error"]
        again = "  kept" if was_kept else ""
        print(f"  {method:<40} {shown}  {row['seconds']:.1f} s  {row['memory']:.0f} MB{again}", flush=True)
        return row

    ours = add("cartwheel", own, lambda: program.row({}, whole=True))
    if "scores" not in ours:
        raise SystemExit(f"cartwheel on {folder}: {ours['error']}")
    if ours.get("similar"):
        lists = kept.folder / "similar.txt"
        lists.write_text(similar.text(ours["similar"]), encoding="utf-8")
        print(f"  similar products: {lists}", flush=True)
    rows = {"cartwheel": ours}
    for setting in options.setting:
        variable, _, value = setting.partition("=")
        method = f"cartwheel, {setting}"
        rows[method] = add(method, f"{own} {setting}", lambda v=variable, x=value: program.row({v: x}))
    peers = fingerprint([HERE / file for file in PEER_FILES], [])
    for method in CLICK_METHODS if is_clicks(folder) else METHODS:

        def measure(method: str = method) -> Row:
            if options.install_log:
                lines = options.install_log.read_text("utf-8", "replace").strip().splitlines()
                reason = (lines or ["no output"])[-1][:200]
                raise Failed(0.0, 0.0, f"the peers cannot be installed: {reason}")
            return peer(options.peer_python, method, folder, work, options.limit)

        rows[method] = add(method, peers, measure)

    def without(what: str, variable: str, names: list[str]) -> dict[str, Row]:
        return {
            name: add(
                f"without {what}{name}", f"{own} {variable} {name}", lambda n=name: program.row({variable: n})
            )
            for name in names
        }

    sources = without("", "CARTWHEEL_RECOMMEND_WITHOUT", options.without)
    subjects = without("features of ", "CARTWHEEL_TRAIN_WITHOUT", options.unlearned)
    return {
        "name": name,
        "sizes": shop.sizes(),
        "metrics": shop.metrics,
        "groups": shop.groups(),
        "rows": rows,
        "without": sources,
        "unlearned": subjects,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cartwheel", type=Path)
    parser.add_argument("peer_python", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--without", nargs="*", default=SOURCES, metavar="SOURCE", help="sources to switch off"
    )
    parser.add_argument(
        "--unlearned", nargs="*", default=SUBJECTS, metavar="SUBJECT", help="subjects to learn nothing of"
    )
    parser.add_argument("--limit", type=float, default=900, help="seconds for a process")
    parser.add_argument("--install-log", type=Path, help="why the peers cannot run")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/quality.md")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs/img")
    options = parser.parse_args()
    # As an interrupt from the keyboard does, it ends the process that is measured, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    work = Path(tempfile.mkdtemp(prefix="cartwheel-quality-"))
    failed = []
    try:
        folders = {page.name(folder): folder for folder in options.folders}
        if not folders:
            folders = {"synthetic shop": work / "shop"}
            size = ["--users", "2000", "--products", "2000", "--orders", "30000"]
            command = [options.cartwheel, "generate", *size, "--out", work / "shop"]
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        for name, folder in folders.items():
            with tempfile.TemporaryDirectory(dir=work) as place:
                result = compare(options, name, folder, Path(place))
            page.write(options.page, options.pictures, [result])
            measured = {**result["rows"], **result["without"], **result["unlearned"]}
            failed += [f"{name}: {method}" for method, row in measured.items() if row.get("error")]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if failed:
        sys.exit("no figures: " + "; ".join(failed))


if __name__ == "__main__":
    main()
