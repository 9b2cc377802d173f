"""The figures of a run: printed as they are measured, and saved at the end.

The file of results holds `machine`, `date` (start of the run, UTC), `commit`, `changed` (whether
files differed from the commit), `quick`, and `figures`. A figure has `section`, `name`, `unit`,
`better` ("less" or "more"), `values` (all repetitions in their order), `median`, `note`, `peer`
(whether another program was measured), and `judged_by`: the name of its quotient with a peer.
"""

import json
import os
import platform
import statistics
import subprocess
from datetime import UTC, datetime
from pathlib import Path

RESULTS = []
STARTED = datetime.now(UTC)
# Which values are better; of a quotient, it depends on what is divided.
BETTER = {"s": "less", "ms": "less", "µs": "less", "MB": "less", "/s": "more"}
OPPOSITE = {"less": "more", "more": "less"}


def add(section, name, values, unit, note="", peer=False, better=None):
    """Records one figure from its repetitions and returns it. Its name is new in its section."""
    values = list(values)
    assert all((row["section"], row["name"]) != (section, name) for row in RESULTS), (section, name)
    row = {
        "section": section,
        "name": name,
        "unit": unit,
        "better": better or BETTER[unit],
        "values": values,
        "median": statistics.median(values),
        "note": note,
        "peer": peer,
        "judged_by": None,
    }
    RESULTS.append(row)
    spread = f"({min(values):.4g} to {max(values):.4g})"
    print(f"{section:<12} {name:<46} {row['median']:12.4g} {unit:<8} {spread} {note}", flush=True)
    return row


def ratio(section, name, over, under, note=""):
    """Records the quotient of two figures, repetition by repetition if both have as many.

    If one of them is a peer's, the quotient judges the other: it depends less on the machine.
    """
    if len(over["values"]) == len(under["values"]):
        values = [a / b for a, b in zip(over["values"], under["values"], strict=True)]
    else:
        values = [over["median"] / under["median"]]
    better = OPPOSITE[under["better"]] if over["peer"] else over["better"]
    for own, other in ((over, under), (under, over)):
        if other["peer"] and not own["peer"]:
            own["judged_by"] = name
    return add(section, name, values, "×", note, better=better)


def save(path, quick):
    """Writes the results of the run."""
    results = {
        "machine": machine(),
        "date": STARTED.isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        "quick": quick,
        "figures": RESULTS,
    }
    Path(path).write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    print(f"results: {path}")


def machine():
    """Processor, cores, memory in MB, and system."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_mb": memory, "system": platform.platform()}


def git(*args):
    """What git says about this repository; None outside of one."""
    command = ["git", "-C", str(Path(__file__).parent), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def run(*args, **kwargs):
    """Runs a command that has to succeed and returns its standard output."""
    return subprocess.run(args, check=True, capture_output=True, text=True, **kwargs).stdout
