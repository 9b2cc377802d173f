#!/usr/bin/env python3
"""Compares two files of results of `make bench`, and fails when a figure became worse.

  bench/compare.py BASE NEW [--bound FACTOR] [--json]

Each row gives the median of BASE and of NEW, and NEW/BASE with its range: from the least repetition
of NEW over the most of BASE to the most over the least. With the default bound of 1.15, a figure is

  worse    if even the end of the range that is best for NEW is worse than BASE by more than 1.15 times
  better   if even the other end is better by more than that
  unclear  if the medians differ by more than that, but not all repetitions do
  same     otherwise

Of a figure with a peer, the quotient of the two is judged: it depends less on the machine and on
what else runs there. Figures of peers are not judged.

Examples:
  make bench && cp bench/results.json /tmp/base.json     before a change
  make bench && bench/compare.py /tmp/base.json bench/results.json
  bench/compare.py --bound 1.3 base.json new.json        on a machine that does other work
  bench/compare.py --json base.json new.json | jq '.figures[] | select(.verdict == "worse")'

Exit status: 0 nothing is worse, 1 a figure is worse, 2 the files cannot be compared.
"""

import argparse
import json
import sys
from pathlib import Path

NEEDED = {"section", "name", "unit", "better", "values", "median", "peer", "judged_by"}


class Unusable(Exception):
    """The files cannot be compared; says what to do."""


def read(path):
    """The results in a file, with their figures by section and name."""
    try:
        results = json.loads(Path(path).read_text())
        figures = {(row["section"], row["name"]): row for row in results["figures"]}
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Unusable(f"{path} is no file of results: make it with `make bench`") from error
    for row in figures.values():
        if not row.keys() >= NEEDED:
            missing = ", ".join(sorted(NEEDED - row.keys()))
            raise Unusable(f"{path}: {row['name']!r} lacks {missing}: make the file with `make bench`")
        if not row["values"] or min(row["values"]) <= 0:
            raise Unusable(f"{path}: {row['name']!r} has values that are not above 0: measure again")
    return results, figures


def compare(base, new, bound):
    """How a figure changed: NEW/BASE with its range, and what that means."""
    ratio = new["median"] / base["median"]
    least = min(new["values"]) / max(base["values"])
    most = max(new["values"]) / min(base["values"])
    # As factors by which NEW is worse: of the medians, at its best, and at its worst.
    middle, best, worst = ratio, least, most
    if new["better"] == "more":
        middle, best, worst = 1 / ratio, 1 / most, 1 / least
    if best > bound:
        verdict = "worse"
    elif worst < 1 / bound:
        verdict = "better"
    elif middle > bound or middle < 1 / bound:
        verdict = "unclear"
    else:
        verdict = "same"
    return {"ratio": ratio, "least": least, "most": most, "verdict": verdict}


def compare_all(base, new, bound):
    """The figures that both have, in the order of NEW."""
    both = {key: row for key, row in new.items() if key in base}
    rows = []
    for (section, name), row in both.items():
        before = base[section, name]
        if before["unit"] != row["unit"] or before["better"] != row["better"]:
            raise Unusable(f"{name!r} has another unit in BASE: measure BASE again with this bench/")
        change = compare(before, row, bound)
        if row["peer"]:
            change["verdict"] = "peer"
        elif (section, row["judged_by"]) in both:
            change["verdict"] = "beside peer"
        figure = {key: row[key] for key in ("section", "name", "unit", "better")}
        rows.append({**figure, "base": before["median"], "new": row["median"], **change})
    if not rows:
        raise Unusable("the files have no figure in common: measure the same parts")
    return rows


def differences(base, new):
    """What makes absolute figures of the two runs less comparable."""
    notes = []
    if base.get("machine") != new.get("machine"):
        notes.append("the machines differ: rely on quotients with peers")
    if base.get("quick") != new.get("quick"):
        notes.append("one of the runs is --quick: its inputs are smaller")
    return notes


def label(results):
    """Commit and date of a run."""
    commit = (results.get("commit") or "no commit")[:12] + (" with changes" if results.get("changed") else "")
    return f"{commit}, {results.get('date')}"


def table(rows):
    """The rows as text, the worst last, where a terminal shows them."""
    for row in sorted(rows, key=lambda row: row["verdict"] == "worse"):
        name = f"{row['section']:<10} {row['name']:<46}"
        values = f"{row['base']:10.4g} {row['new']:10.4g} {row['unit']:<3}"
        spread = f"({row['least']:.2f} to {row['most']:.2f})"
        print(f"{name} {values} {row['ratio']:6.2f} {spread:<16} {row['verdict']}")


def bound_of(text):
    """A bound of the command line."""
    bound = float(text)
    if not 1 <= bound < float("inf"):
        raise argparse.ArgumentTypeError("it is a factor of 1 or more, such as 1.15")
    return bound


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS
    )
    parser.add_argument("base", metavar="BASE", help="the results before")
    parser.add_argument("new", metavar="NEW", help="the results after")
    parser.add_argument("--bound", type=bound_of, default=1.15, help="allowed factor (default: 1.15)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    try:
        base, base_figures = read(options.base)
        new, new_figures = read(options.new)
        rows = compare_all(base_figures, new_figures, options.bound)
    except Unusable as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    only = {
        "only_in_base": [" ".join(key) for key in base_figures.keys() - new_figures.keys()],
        "only_in_new": [" ".join(key) for key in new_figures.keys() - base_figures.keys()],
    }
    only = {key: sorted(names) for key, names in only.items()}
    notes = differences(base, new)
    worse = [row for row in rows if row["verdict"] == "worse"]
    if options.json:
        print(json.dumps({"bound": options.bound, "notes": notes, "figures": rows, **only}, indent=1))
        return 1 if worse else 0
    print(f"BASE {label(base)}\nNEW  {label(new)}")
    for note in notes:
        print(f"note: {note}")
    table(rows)
    for key, names in only.items():
        if names:
            print(f"{key.replace('_', ' ')}: {', '.join(names)}")
    print(f"{len(worse)} of {len(rows)} figures are worse by more than {options.bound} times")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
