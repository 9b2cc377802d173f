#!/usr/bin/env python3
"""Compares two shops in the Instacart schema: prints a table, draws three panels.

  synthetic.py REAL_DIR SYNTHETIC_DIR OUT.svg

Uses the standard library only. Prints and draws nothing but aggregates.
"""

import collections
import csv
import gzip
import math
import statistics
import sys
from pathlib import Path


def rows(folder, name):
    """The rows of a CSV file, or of its gzip archive."""
    path = Path(folder, name)
    opening = open if path.exists() else gzip.open
    name = path if path.exists() else f"{path}.gz"
    with opening(name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


class Shop:
    def __init__(self, folder):
        self.user, self.number, gaps = {}, {}, []
        for row in rows(folder, "orders.csv"):
            self.user[row["order_id"]] = row["user_id"]
            self.number[row["order_id"]] = int(row["order_number"])
            if row["days_since_prior_order"]:
                gaps.append(float(row["days_since_prior_order"]))
        newest = {}
        for order, user in self.user.items():
            if self.number[order] > self.number.get(newest.get(user), 0):
                newest[user] = order
        size, again = collections.Counter(), collections.Counter()
        popular, own = collections.Counter(), collections.defaultdict(collections.Counter)
        label = collections.defaultdict(set)
        by_number = collections.defaultdict(lambda: [0, 0])
        for row in rows(folder, "order_products.csv"):
            order, product = row["order_id"], row["product_id"]
            user, hit = self.user[order], row["reordered"] == "1"
            size[order] += 1
            again[hit] += 1
            cell = by_number[self.number[order]]
            cell[0] += hit
            cell[1] += 1
            if newest[user] == order:
                label[user].add(product)
            else:
                popular[product] += 1
                own[user][product] += 1
        self.sizes = sorted(size.values())
        self.by_number = [(n, a / b) for n, (a, b) in sorted(by_number.items()) if n <= 40]
        self.counts = sorted(popular.values(), reverse=True)
        lines = sum(self.counts)
        top = [p for p, _ in popular.most_common(10)]

        def recall(lists):
            return statistics.fmean(len(t & set(lists(u))) / len(t) for u, t in label.items())

        def favourites(user):
            ranked = sorted(own[user].items(), key=lambda x: (-x[1], -popular[x[0]]))
            return [p for p, _ in ranked[:10]]

        def share(part):
            return sum(self.counts[: max(1, int(len(self.counts) * part))]) / lines

        def quantile(values, q):
            return values[min(len(values) - 1, int(q * len(values)))]

        users = collections.Counter(self.user.values())
        self.table = [
            ("orders a user, mean", statistics.fmean(users.values())),
            ("orders a user, median", statistics.median(users.values())),
            ("products an order, mean", statistics.fmean(self.sizes)),
            ("products an order, median", statistics.median(self.sizes)),
            ("products an order, 95 %", quantile(self.sizes, 0.95)),
            ("days between orders, mean", statistics.fmean(gaps)),
            ("days between orders, median", statistics.median(gaps)),
            ("reordered lines, share", again[True] / (again[True] + again[False])),
            ("distinct products a user, mean", statistics.fmean(len(c) for c in own.values())),
            ("lines of the top 1 % of products", share(0.01)),
            ("lines of the top 10 % of products", share(0.10)),
            ("Recall@10 of the popular", recall(lambda user: top)),
            ("Recall@10 of a user's most frequent", recall(favourites)),
        ]


def panel(x, title, series, log, labels):
    """One plot of 300 × 200 at x; series: [(colour, [(x, y)])]."""
    scale = (lambda v: math.log10(max(v, 1e-9))) if log else (lambda v: v)
    points = [(scale(a), scale(b)) for _, line in series for a, b in line]
    left, right = min(p[0] for p in points), max(p[0] for p in points)
    low, high = min(0, min(p[1] for p in points)), max(p[1] for p in points)

    def place(a, b):
        px = x + 40 + 240 * (scale(a) - left) / (right - left)
        return f"{px:.1f},{240 - 180 * (scale(b) - low) / (high - low):.1f}"

    out = [
        f'<text x="{x + 40}" y="30" font-weight="600">{title}</text>',
        f'<path d="M{x + 40} 60V240H{x + 280}" fill="none" stroke="#888"/>',
    ]
    for colour, line in series:
        path = " ".join(place(a, b) for a, b in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    end = (10**right, 10**high) if log else (right, high)
    across = f"{labels[0]} {end[0]:.0f}"
    out.append(f'<text x="{x + 280}" y="258" text-anchor="end" fill="#555">{across}</text>')
    out.append(f'<text x="{x + 44}" y="55" fill="#555">{end[1]:.3g} {labels[1]}</text>')
    return out


def main():
    real, synthetic = Shop(sys.argv[1]), Shop(sys.argv[2])
    print("| | real sample | synthetic |\n| --- | --- | --- |")
    for (name, a), (_, b) in zip(real.table, synthetic.table, strict=True):
        print(f"| {name} | {a:.3g} | {b:.3g} |")

    def sizes(shop):
        counts = collections.Counter(shop.sizes)
        return [(n, counts[n] / len(shop.sizes)) for n in range(1, 41)]

    def popularity(shop):
        picks = sorted({int(1.15**n) for n in range(80) if 1.15**n <= len(shop.counts)})
        total = sum(shop.counts)
        return [(n, 1e6 * shop.counts[n - 1] / total) for n in picks]

    colours = ("#c2571a", "#0b7a5b")

    def pair(curve):
        return list(zip(colours, (curve(real), curve(synthetic)), strict=True))

    body = panel(0, "Products an order", pair(sizes), False, ("products", "of orders"))
    body += panel(
        300, "Reordered, by order number", pair(lambda s: s.by_number), False, ("order", "of lines")
    )
    body += panel(600, "Popularity (log-log)", pair(popularity), True, ("rank", "per million lines"))
    for at, (colour, name) in enumerate(zip(colours, ("real sample", "synthetic"), strict=True)):
        body.append(f'<rect x="{340 + 130 * at}" y="272" width="18" height="4" fill="{colour}"/>')
        body.append(f'<text x="{364 + 130 * at}" y="279">{name}</text>')
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 290" '
        'font-family="system-ui, sans-serif" font-size="13">\n'
        '<rect width="900" height="290" fill="#fff"/>\n'
    )
    Path(sys.argv[3]).write_text(head + "\n".join(body) + "\n</svg>\n", encoding="utf-8")


if __name__ == "__main__":
    main()
