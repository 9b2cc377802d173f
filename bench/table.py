#!/usr/bin/env python3
"""Prints a file of results of `make bench` as the tables of docs/performance.md, "One whole run".

bench/table.py [RESULTS]     bench/results.json by default
"""

import argparse
import json
from itertools import groupby
from pathlib import Path


def number(value):
    """Three digits that count, and thousands apart."""
    text = f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return text if "e" not in text else f"{value:,.0f}"


def row(figure):
    """A line of the table."""
    values = figure["values"]
    spread = f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""
    name = f"*{figure['name']}*" if figure["peer"] else figure["name"]
    cells = (name, f"{number(figure['median'])} {figure['unit']}", spread, figure["note"])
    return "| " + " | ".join(cells) + " |"


def tables(results):
    """The lines of all tables, after one that says what ran where and when."""
    machine, changed = results["machine"], " with changes" if results["changed"] else ""
    kind = "`make bench --quick`" if results["quick"] else "`make bench`"
    yield (
        f"{kind} at commit `{results['commit'][:8]}`{changed}, begun {results['date']}; {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_mb'] // 1024} GB, {machine['system']}. Medians, "
        "least to most; peers in italics."
    )
    for section, figures in groupby(results["figures"], lambda figure: figure["section"]):
        yield ""
        yield f"| {section} | median | | |"
        yield "| --- | --- | --- | --- |"
        yield from map(row, figures)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(__file__).resolve().parent / "results.json"
    parser.add_argument("results", type=Path, nargs="?", default=default)
    results = json.loads(parser.parse_args().results.read_text())
    print("\n".join(tables(results)))


if __name__ == "__main__":
    main()
