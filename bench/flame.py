#!/usr/bin/env python3
"""Draws a flame graph of a server under load.

  bench/flame.py CARTWHEEL LOAD DATA OUT.svg [--kind recommend] [--clients 8] [--users 1000000]

Starts CARTWHEEL on the directory DATA, loads it with LOAD, samples it for five seconds with perf
(Linux, with the right to trace), and writes a picture: each box is a function, as wide as its share
of the samples, above its caller. Boxes narrower than 0.3 % are left out.
"""

import argparse
import html
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from servers import Cartwheel

FRAME = re.compile(r"\s+[0-9a-f]+ (.+?)(\+0x[0-9a-f]+)? \(")
WIDTH, ROW, LEAST = 1200, 17, 0.003


def sampled(program, load, data, kind, clients, users, out):
    """The output of perf script."""
    server = Cartwheel(program, data)
    command = [load, server.address, kind, str(clients)]
    try:
        subprocess.run([*command, "3", str(users)], check=True, capture_output=True)
        loading = subprocess.Popen([*command, "7", str(users)], stdout=subprocess.PIPE, text=True)
        record = ["perf", "record", "-q", "-o", out, "--call-graph", "dwarf,16384", "-F", "299"]
        subprocess.run([*record, "-p", str(server.child.pid), "--", "sleep", "5"], check=True)
        print(loading.communicate()[0].strip(), file=sys.stderr)
    finally:
        server.stop()
    script = ["perf", "script", "--no-inline", "-i", out]
    return subprocess.run(script, check=True, capture_output=True, text=True).stdout


def stacks(text):
    """Each sample's functions, callers first, from the first one of this project on."""
    for sample in text.split("\n\n"):
        names = [FRAME.match(line) for line in sample.splitlines()]
        names = [name.group(1) for name in names if name][::-1]
        own = [at for at, name in enumerate(names) if "cartwheel_" in name]
        names = [short(name) for name in names[own[0] if own else 0 :]]
        if names:
            yield names


def short(name):
    """A function without the parameters of its types, and without closures."""
    name = re.sub(r"::\{\{closure\}\}|::h[0-9a-f]{16}", "", name).replace("cartwheel_", "")
    # A method of a trait: the type and the method.
    name = re.sub(r"^<(.+) as .+>::(\w+)$", r"\1::\2", name)
    while (shorter := re.sub(r"<(?!impl )[^<>]*>", "", name)) != name:
        name = shorter
    return name.lstrip(":") or "closure"


def boxes(tree, total, x=0.0, level=0):
    """The boxes of a tree: left edge, level, share and name."""
    for name, child in sorted(tree["below"].items(), key=lambda item: -item[1]["count"]):
        share = child["count"] / total
        if share >= LEAST:
            yield x, level, share, name
            yield from boxes(child, total, x, level + 1)
        x += share


def counted(text):
    """All stacks as a tree with the number of samples of each function."""
    tree = {"count": 0, "below": {}}
    for names in stacks(text):
        at = tree
        at["count"] += 1
        last = None
        for name in names:
            if name == last:
                continue
            last = name
            at = at["below"].setdefault(name, {"count": 0, "below": {}})
            at["count"] += 1
    return tree


def drawn(tree):
    found = list(boxes(tree, tree["count"]))
    height = (max(level for _, level, _, _ in found) + 1) * ROW
    box = f'viewBox="0 0 {WIDTH} {height}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="11">']
    for x, level, share, name in found:
        left, width, top = x * WIDTH, share * WIDTH, height - (level + 1) * ROW
        hue = sum(name.encode()) % 40 + 15
        label = html.escape(name[: int(width / 6)]) if width > 30 else ""
        lines.append(
            f"<g><title>{html.escape(name)} {share:.1%}</title>"
            f'<rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.3):.1f}" height="{ROW - 1}"'
            f' fill="hsl({hue} 80% 72%)"/>'
            + (f'<text x="{left + 3:.1f}" y="{top + 12}">{label}</text>' if label else "")
            + "</g>"
        )
    return "\n".join([*lines, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("cartwheel", "load", "data"):
        parser.add_argument(name)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", default="recommend")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--users", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.NamedTemporaryFile() as samples:
        text = sampled(
            options.cartwheel,
            options.load,
            options.data,
            options.kind,
            options.clients,
            options.users,
            samples.name,
        )
    options.out.write_text(drawn(counted(text)))


if __name__ == "__main__":
    main()
