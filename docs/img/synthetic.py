#!/usr/bin/env python3
"""Compares two shops in the Instacart schema: prints a table, draws three panels.

  synthetic.py REAL_DIR SYNTHETIC_DIR OUT.svg

Only the standard library. Aggregate figures alone are printed and drawn.
"""
import collections
import csv
import gzip
import math
import os
import statistics
import sys


def rows(folder, name):
    path = os.path.join(folder, name)
    if os.path.exists(path):
        file = open(path, encoding="utf-8", newline="")
    else:
        file = gzip.open(path + ".gz", "rt", encoding="utf-8", newline="")
    with file:
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
        return "%.1f,%.1f" % (px, 240 - 180 * (scale(b) - low) / (high - low))

    out = ['<text x="%d" y="30" font-weight="600">%s</text>' % (x + 40, title)]
    out.append('<path d="M%d 60V240H%d" fill="none" stroke="#888"/>' % (x + 40, x + 280))
    for colour, line in series:
        path = " ".join(place(a, b) for a, b in line)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (path, colour))
    end = (10**right, 10**high) if log else (right, high)
    out.append('<text x="%d" y="258" text-anchor="end" fill="#555">%s %.0f</text>' % (x + 280, labels[0], end[0]))
    out.append('<text x="%d" y="55" fill="#555">%.3g %s</text>' % (x + 44, end[1], labels[1]))
    return out


def main():
    real, synthetic = Shop(sys.argv[1]), Shop(sys.argv[2])
    print("| | real sample | synthetic |\n| --- | --- | --- |")
    for (name, a), (_, b) in zip(real.table, synthetic.table):
        print("| %s | %.3g | %.3g |" % (name, a, b))

    def sizes(shop):
        counts = collections.Counter(shop.sizes)
        return [(n, counts[n] / len(shop.sizes)) for n in range(1, 41)]

    def popularity(shop):
        picks = sorted({int(1.15**n) for n in range(80) if 1.15**n <= len(shop.counts)})
        total = sum(shop.counts)
        return [(n, 1e6 * shop.counts[n - 1] / total) for n in picks]

    colours = ("#c2571a", "#0b7a5b")
    pair = lambda f: list(zip(colours, (f(real), f(synthetic))))
    body = panel(0, "Products an order", pair(sizes), False, ("products", "of orders"))
    body += panel(300, "Reordered, by order number", pair(lambda s: s.by_number), False, ("order", "of lines"))
    body += panel(600, "Popularity (log-log)", pair(popularity), True, ("rank", "per million lines"))
    for at, (colour, name) in enumerate(zip(colours, ("real sample", "synthetic"))):
        body.append('<rect x="%d" y="272" width="18" height="4" fill="%s"/>' % (340 + 130 * at, colour))
        body.append('<text x="%d" y="279">%s</text>' % (364 + 130 * at, name))
    with open(sys.argv[3], "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 290" '
                   'font-family="system-ui, sans-serif" font-size="13">\n'
                   '<rect width="900" height="290" fill="#fff"/>\n')
        file.write("\n".join(body) + "\n</svg>\n")


if __name__ == "__main__":
    main()
