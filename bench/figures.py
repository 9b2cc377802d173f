"""The figures of a run: printed as they are measured, and saved at the end."""

import json
import statistics
import subprocess
from pathlib import Path

RESULTS = []


def add(part, name, values, unit, note=""):
    """Records one figure from its repetitions and returns their median."""
    values = sorted(values)
    row = {
        "part": part,
        "name": name,
        "median": statistics.median(values),
        "least": values[0],
        "most": values[-1],
        "unit": unit,
        "note": note,
    }
    RESULTS.append(row)
    spread = f"({row['least']:.4g} to {row['most']:.4g})"
    print(f"{part:<12} {name:<46} {row['median']:12.4g} {unit:<8} {spread} {note}", flush=True)
    return row["median"]


def ratio(part, name, value, note=""):
    """Records a quotient of two medians."""
    add(part, name, [value], "×", note)


def save():
    """Writes results.json beside this file."""
    (Path(__file__).parent / "results.json").write_text(json.dumps(RESULTS, indent=1))


def run(*args, **kwargs):
    """Runs a command that has to succeed and returns its standard output."""
    return subprocess.run(args, check=True, capture_output=True, text=True, **kwargs).stdout
