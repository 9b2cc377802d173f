"""A shop in the Instacart schema, and the metrics of recommendations for it. Standard library only.

The definitions follow Li et al., "A Next Basket Recommendation Reality Check" (TOIS 2023): one value
per user, then the mean over users; NDCG's ideal gain covers all items of the label.
"""

import csv
import gzip
import math
from pathlib import Path

CUTS = (10, 20)


def rows(folder, name):
    """The rows of a CSV file, or of its gzip archive."""
    plain = Path(folder, name)
    packed = Path(folder, name + ".gz")
    if not plain.exists() and not packed.exists():
        raise SystemExit(f"{folder} has no {name}: name folders in the Instacart schema")
    opening, path = (open, plain) if plain.exists() else (gzip.open, packed)
    with opening(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


class Shop:
    """Histories and labels by user.

    `history` has each user's orders that are marked neither `test` nor left out, oldest first;
    `labels` the products of the order marked `test`.
    """

    # The first one ranks the methods and chooses their parameters.
    metrics = ("recall@10", "ndcg@10")

    def __init__(self, folder):
        orders = {}
        for row in rows(folder, "orders.csv"):
            orders[row["order_id"]] = (row["user_id"], int(row["order_number"]), row["eval_set"] == "test")
        products = {}
        for row in rows(folder, "order_products.csv"):
            products.setdefault(row["order_id"], []).append(row["product_id"])
        self.history, self.labels = {}, {}
        for order, (user, _, is_test) in sorted(orders.items(), key=lambda item: (item[1][0], item[1][1])):
            basket = list(dict.fromkeys(products.get(order, [])))
            if not basket:
                continue
            if is_test:
                self.labels[user] = set(basket)
            else:
                self.history.setdefault(user, []).append(basket)

    def validation(self):
        """The same shop as it was before each user's newest order, which becomes the label."""
        earlier = object.__new__(Shop)
        earlier.history = {user: orders[:-1] for user, orders in self.history.items() if len(orders) > 1}
        earlier.labels = {user: set(orders[-1]) for user, orders in self.history.items() if len(orders) > 1}
        return earlier

    def sizes(self):
        return f"{len(self.labels)} users, {sum(map(len, self.history.values()))} orders before the label"

    def groups(self):
        """The user of each value."""
        return sorted(self.labels)

    def scores(self, lists):
        """The value of each metric for each user with a label, in the order of the users' ids.

        A user without a list scores 0. The recall of products bought before, and of the others, is
        None for a user whose label has none.
        """
        out = {f"{name}@{cut}": [] for cut in CUTS for name in ("recall", "ndcg", "phr", "rep", "expl")}
        for user, label in sorted(self.labels.items()):
            seen = {product for order in self.history.get(user, []) for product in order}
            ranked = list(dict.fromkeys(lists.get(user, [])))
            for cut in CUTS:
                top = ranked[:cut]
                gains = [1 / math.log2(rank + 2) for rank, product in enumerate(top) if product in label]
                ideal = sum(1 / math.log2(rank + 2) for rank in range(len(label)))
                out[f"recall@{cut}"].append(len(gains) / len(label))
                out[f"ndcg@{cut}"].append(sum(gains) / ideal)
                out[f"phr@{cut}"].append(float(bool(gains)))
                for name, part in (("rep", label & seen), ("expl", label - seen)):
                    out[f"{name}@{cut}"].append(len(part & set(top)) / len(part) if part else None)
        return out


def mean_and_error(values):
    """The mean of the values that are not None, and its standard error."""
    values = [value for value in values if value is not None]
    if not values:
        return 0.0, 0.0
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, 0.0
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def paired(ours, theirs, groups):
    """The mean difference, its standard error, and the two-sided p-value by the normal approximation.

    Values of the same group, such as the positions of a session, are not independent of each other: the
    error is that of the sums over groups.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    count = len(differences)
    mean = sum(differences) / count
    sums = {}
    for group, difference in zip(groups, differences, strict=True):
        sums[group] = sums.get(group, 0.0) + difference - mean
    error = math.sqrt(sum(value**2 for value in sums.values()) * len(sums) / max(1, len(sums) - 1)) / count
    p = math.erfc(abs(mean / error) / math.sqrt(2)) if mean and error else 1.0
    return mean, error, p
