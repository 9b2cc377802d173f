#!/usr/bin/env python3
"""Tunes one published method on a shop and writes its lists.

  fit.py METHOD FOLDER OUT.json

The parameters with the highest Recall@10 for the newest order before the label are taken, of some of the
users; then the method is fitted to all orders before the label. Of sessions, those with the highest HR@20
for the newest tenth of the training sessions. Writes {"lists", "parameters", "tried"}.
"""

import json
import random
import sys
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import clicks
import numpy as np
from peers import METHODS
from scipy.sparse import csr_matrix
from shop import Shop, mean_and_error

# Products with fewer buyers are left out of EASE, whose matrix is dense.
EASE_BUYERS = 5
SEED = 1
# Users whose newest orders choose the parameters.
TUNING_USERS = 500
# similaripy keeps as many by default, and cornac does not change it.
UP_CF_NEIGHBOURS = 100


class Matrix:
    """Users and products by index, and how many orders of a user hold a product."""

    def __init__(self, shop):
        self.users = sorted(shop.history)
        self.products = sorted({p for orders in shop.history.values() for order in orders for p in order})
        self.index = {product: at for at, product in enumerate(self.products)}
        histories = (shop.history[user] for user in self.users)
        self.baskets = [[[self.index[p] for p in order] for order in orders] for orders in histories]
        at = [
            (user, product)
            for user, orders in enumerate(self.baskets)
            for order in orders
            for product in order
        ]
        rows, columns = zip(*at, strict=True)
        shape = (len(self.users), len(self.products))
        self.counts = csr_matrix((np.ones(len(at), dtype=np.float32), (rows, columns)), shape=shape)
        self.popularity = np.asarray(self.counts.sum(axis=0)).ravel()

    def lists(self, scores_of, wanted):
        """The best 20 products of each wanted user; ties are ordered by popularity."""
        out = {}
        for user, name in enumerate(self.users):
            if name in wanted:
                scores = np.asarray(scores_of(user), dtype=np.float64).ravel()
                best = np.lexsort((-self.popularity, -scores))[:20]
                out[name] = [self.products[product] for product in best]
        return out


def basket_dataset(matrix):
    from cornac.data import BasketDataset

    triples = [
        (user, f"{user}/{number}", product)
        for user, orders in enumerate(matrix.baskets)
        for number, order in enumerate(orders)
        for product in order
    ]
    return BasketDataset.from_ubi(triples, seed=SEED)


def next_basket(model, matrix):
    """The scores of one of cornac's next-basket recommenders."""
    data = basket_dataset(matrix)
    model.fit(data)
    of = np.array([data.iid_map[product] for product in range(len(matrix.products))])

    def scores(user):
        baskets = [[data.iid_map[product] for product in order] for order in matrix.baskets[user]]
        return np.asarray(model.score(data.uid_map[user], baskets))[of]

    return scores


def rating_dataset(matrix, columns=None):
    from cornac.data import Dataset

    counts = matrix.counts.tocoo()
    kept = range(counts.nnz) if columns is None else np.flatnonzero(np.isin(counts.col, columns))
    triples = [(int(counts.row[i]), int(counts.col[i]), 1.0) for i in kept]
    return Dataset.from_uir(triples, seed=SEED)


def from_ratings(model, matrix, data):
    """The scores of one of cornac's recommenders over users and items."""
    model.fit(data)
    products, places = np.array(list(data.iid_map.items())).T

    def scores(user):
        out = np.full(len(matrix.products), -np.inf)
        if user in data.uid_map:
            out[products] = np.asarray(model.score(data.uid_map[user])).ravel()[places]
        return out

    return scores


def gp_top(matrix, **kinds):
    from cornac.models import GPTop

    return next_basket(GPTop(**kinds), matrix)


def tifu_knn(matrix, **parameters):
    from cornac.models import TIFUKNN

    return next_basket(TIFUKNN(**parameters), matrix)


@lru_cache(maxsize=1)
def tifu_vectors(matrix, n_neighbors, **parameters):
    """cornac's vector of each user and the mean of the neighbours', both by product of `matrix`."""
    from cornac.models import TIFUKNN

    class Vectors(TIFUKNN):
        total_items = len(matrix.products)

    model = Vectors(**parameters)
    own = np.asarray([model._compute_user_vector(orders) for orders in matrix.baskets], dtype=np.float32)
    squares = (own**2).sum(axis=1)
    distances = squares[None, :] - 2 * (csr_matrix(own) @ own.T)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
    rows = np.repeat(np.arange(len(own)), nearest.shape[1])
    means = csr_matrix((np.full(nearest.size, 1 / nearest.shape[1]), (rows, nearest.ravel())))
    return own, means @ own


def mended_tifu_knn(matrix, alpha, **parameters):
    """TIFU-KNN with the neighbours' mean as a vector and their newest orders, which cornac 3.0.1 lacks."""
    own, others = tifu_vectors(matrix, **parameters)
    return lambda user: alpha * own[user] + (1 - alpha) * others[user]


def up_cf(matrix, **parameters):
    """UP-CF with its two products by scipy: similaripy 0.7.0, the only wheel, crashes in the second."""
    from cornac.models import UPCF

    class ByScipy(UPCF):
        def score(self, user_idx, history_baskets, **_):
            products = sorted({product for order in history_baskets for product in order})
            sizes = np.asarray((self.user_item_matrix > 0).sum(axis=1)).ravel()
            common = np.asarray((self.user_item_matrix[:, products] > 0).sum(axis=1)).ravel()
            similar = common / (len(products) ** self.asymmetry * sizes ** (1 - self.asymmetry))
            # The asking user is one of them, as in cornac and in the paper.
            similar[np.argsort(-similar, kind="stable")[UP_CF_NEIGHBOURS:]] = 0
            return csr_matrix(similar**self.locality).dot(self.user_wise_popularity).toarray().ravel()

    return next_basket(ByScipy(**parameters), matrix)


def ease(matrix, **parameters):
    from cornac.models import EASE

    buyers = np.asarray((matrix.counts > 0).sum(axis=0)).ravel()
    data = rating_dataset(matrix, np.flatnonzero(buyers >= EASE_BUYERS))
    return from_ratings(EASE(verbose=False, seed=SEED, **parameters), matrix, data)


def item_knn(matrix, weighting, **parameters):
    """implicit's ItemKNN over the buyers of products: cornac's takes minutes to ask."""
    from implicit.nearest_neighbours import CosineRecommender, TFIDFRecommender

    model = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender}[weighting](**parameters)
    bought = (matrix.counts > 0).astype(np.float64)
    model.fit(bought, show_progress=False)
    return lambda user: (bought[user] @ model.similarity).toarray()


def factors(model, matrix):
    """The scores of one of implicit's factor models."""
    model.fit(matrix.counts, show_progress=False)
    return lambda user: model.item_factors @ model.user_factors[user]


def als(matrix, **parameters):
    from implicit.als import AlternatingLeastSquares

    return factors(AlternatingLeastSquares(random_state=SEED, **parameters), matrix)


def bpr(matrix, **parameters):
    from implicit.bpr import BayesianPersonalizedRanking

    return factors(BayesianPersonalizedRanking(random_state=SEED, **parameters), matrix)


def tuned(choices, score):
    """The parameters with the highest score, and all that were tried."""
    if len(choices) == 1:
        return choices[0], []
    tried = [{"parameters": parameters, "score": score(parameters)} for parameters in choices]
    return max(tried, key=lambda one: one["score"])["parameters"], tried


def fit_baskets(name, folder):
    package, function, choices = METHODS[name]
    method, shop = globals()[function], Shop(folder)
    earlier = shop.validation()
    matrix = Matrix(earlier)
    if len(earlier.labels) > TUNING_USERS:
        chosen = random.Random(SEED).sample(sorted(earlier.labels), TUNING_USERS)
        earlier.labels = {user: earlier.labels[user] for user in chosen}

    def score(parameters):
        lists = matrix.lists(method(matrix, **parameters), earlier.labels)
        return mean_and_error(earlier.scores(lists)[shop.metrics[0]])[0]

    best, tried = tuned(choices, score)
    matrix = Matrix(shop)
    lists = matrix.lists(method(matrix, **best), shop.labels)
    return {"package": f"{package} {version(package)}", "parameters": best, "tried": tried, "lists": lists}


def fit_clicks(name, folder):
    method, choices = clicks.METHODS[name]
    shop = clicks.Clicks(folder)
    earlier = shop.validation()

    def score(parameters):
        lists = earlier.ask(method(earlier.train, **parameters))
        return mean_and_error(earlier.scores(lists)[shop.metrics[0]])[0]

    best, tried = tuned(choices, score)
    lists = [[*key, items] for key, items in shop.ask(method(shop.train, **best)).items()]
    return {"package": "as published", "parameters": best, "tried": tried, "lists": lists}


def main():
    name, folder, out = sys.argv[1:]
    fit = fit_clicks if name in clicks.METHODS else fit_baskets
    Path(out).write_text(json.dumps(fit(name, folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
