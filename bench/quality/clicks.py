"""Click sessions, the metrics of next clicks, and published methods for them. Standard library only.

The protocol is that of session-rec (Ludewig et al., UMUAI 2020): every next item of every test session counts
once. Items that the training sessions lack, and sessions with fewer than two items left, are dropped.
"""

import collections
import math

from shop import rows

CUT = 20
# VS-kNN: nearest sessions among the newest that share an item.
NEAREST = ((100, 500), (100, 1000), (300, 1000))


def sessions(folder, name, known=None):
    """Items by session, oldest first, and the time of the last."""
    clicks = collections.defaultdict(list)
    for row in rows(folder, name):
        if known is None or row["item_id"] in known:
            clicks[row["session_id"]].append((float(row["timestamp"]), row["item_id"]))
    ordered = {session: sorted(found, key=lambda click: click[0]) for session, found in clicks.items()}
    return {
        session: ([item for _, item in found], found[-1][0])
        for session, found in ordered.items()
        if len(found) > 1
    }


class Clicks:
    """Training sessions, and test sessions whose next items are asked for."""

    # The first one ranks the methods and chooses their parameters.
    metrics = ("hr@20", "mrr@20")

    def __init__(self, folder):
        self.train = sessions(folder, "train.csv")
        known = {item for items, _ in self.train.values() for item in items}
        self.test = sessions(folder, "test.csv", known)

    def validation(self):
        """The newest tenth of the training sessions as test sessions."""
        newest = sorted(self.train, key=lambda session: self.train[session][1])[-len(self.train) // 10 :]
        earlier = object.__new__(Clicks)
        earlier.train = {s: self.train[s] for s in self.train.keys() - set(newest)}
        known = {item for items, _ in earlier.train.values() for item in items}
        kept = {s: [item for item in self.train[s][0] if item in known] for s in newest}
        earlier.test = {s: (items, 0.0) for s, items in kept.items() if len(items) > 1}
        return earlier

    def sizes(self):
        return f"{len(self.train)} sessions to learn from, {len(self.groups())} clicks to predict"

    def groups(self):
        """The session of each position."""
        return [s for s, (items, _) in sorted(self.test.items()) for _ in items[1:]]

    def scores(self, lists):
        """The value of each metric for each position; `lists` are by session and position from 1."""
        out = {"hr@20": [], "mrr@20": []}
        for session, (items, _) in sorted(self.test.items()):
            for position, item in enumerate(items[1:], 1):
                got = lists.get((session, position), [])[:CUT]
                out["hr@20"].append(float(item in got))
                out["mrr@20"].append(1 / (got.index(item) + 1) if item in got else 0.0)
        return out

    def ask(self, method):
        return {
            (session, position): method(items[:position])
            for session, (items, _) in self.test.items()
            for position in range(1, len(items))
        }


def best(scores):
    return [item for item, _ in sorted(scores.items(), key=lambda score: (-score[1], score[0]))[:CUT]]


def most_clicked(train):
    top = best(collections.Counter(item for items, _ in train.values() for item in items))
    return lambda prefix: top


def seen_together(train):
    counts = collections.defaultdict(collections.Counter)
    for items, _ in train.values():
        for a in items:
            for b in items:
                if a != b:
                    counts[a][b] += 1
    return lambda prefix: best(counts[prefix[-1]])


def vs_knn(train, nearest, newest):
    """VS-kNN (Ludewig & Jannach, UMUAI 2018) with linear weights and IDF."""
    holders = collections.defaultdict(list)
    for session, (items, at) in train.items():
        for item in set(items):
            holders[item].append((at, session))
    for found in holders.values():
        found.sort(reverse=True)
    sets = {session: set(items) for session, (items, _) in train.items()}

    def predict(prefix):
        weights = {item: position / len(prefix) for position, item in enumerate(prefix, 1)}
        back = {item: len(prefix) - position for position, item in enumerate(prefix, 1)}
        found = {entry for item in weights for entry in holders.get(item, ())[:newest]}
        similar = []
        for _, session in sorted(found, reverse=True)[:newest]:
            common = weights.keys() & sets[session]
            size = math.sqrt(len(sets[session]) * len(weights))
            similarity = sum(weights[item] for item in common) / size
            similar.append((similarity, session, min(back[item] for item in common)))
        scores = collections.defaultdict(float)
        for similarity, session, steps in sorted(similar, reverse=True)[:nearest]:
            decay = max(0.0, 1 - 0.1 * (steps + 1))
            for item in sets[session]:
                scores[item] += similarity * decay * math.log(len(train) / len(holders[item]))
        return best(scores)

    return predict


# By the name in the table: the method and the parameters that are tried.
METHODS = {
    "most clicked": (most_clicked, [{}]),
    "seen together": (seen_together, [{}]),
    "VS-kNN": (vs_knn, [{"nearest": nearest, "newest": newest} for nearest, newest in NEAREST]),
}
