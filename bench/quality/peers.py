"""The published methods that cartwheel stands beside. Standard library only."""


def grid(**values):
    """Every combination of the values."""
    out = [{}]
    for name, choices in values.items():
        out = [{**chosen, name: value} for chosen in out for value in choices]
    return out


# As published for Instacart and for Ta-Feng.
TIFU_PUBLISHED = [
    {"n_neighbors": 300, "n_groups": 3, "group_decay_rate": 0.7, "alpha": 0.9},
    {"n_neighbors": 300, "n_groups": 7, "group_decay_rate": 0.7, "alpha": 0.7},
]
TIFU_GRID = grid(n_neighbors=[300], n_groups=[3, 7], group_decay_rate=[0.7, 0.9], alpha=[0.5, 0.7, 0.9])
# By the name in the table: the package, the method and the parameters that are tried.
METHODS = {
    "most popular": ("cornac", "gp_top", [{"use_personalized_popularity": False}]),
    "own, then popular": ("cornac", "gp_top", [{}]),
    "TIFU-KNN": ("cornac", "tifu_knn", TIFU_PUBLISHED),
    "TIFU-KNN, mended": ("cornac", "mended_tifu_knn", TIFU_GRID),
    "UP-CF": ("cornac", "up_cf", grid(recency=[5, 10], asymmetry=[0.5, 0.75], locality=[1, 5])),
    "EASE": ("cornac", "ease", grid(lamb=[50, 200, 500])),
    "ItemKNN": ("implicit", "item_knn", grid(K=[20, 100], weighting=["cosine", "tfidf"])),
    "ALS": ("implicit", "als", grid(factors=[32, 64], regularization=[0.1, 1.0], alpha=[1.0, 10.0])),
    "BPR": ("implicit", "bpr", grid(factors=[32, 64], learning_rate=[0.01, 0.05])),
}
