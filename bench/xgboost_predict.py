"""XGBoost's inplace_predict on one thread, with 100 trees of depth 6.

Prints a number of rows and the median microseconds of a call, one pair a line.
"""

import statistics
import time

import numpy as np
import xgboost

PARAMETERS = {
    "max_depth": 6,
    "objective": "binary:logistic",
    "nthread": 1,
    "min_child_weight": 0,
    "eta": 0.3,
}


def seconds_per_call(model, batch):
    """The mean over 0.15 s of calls."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 0.15:
        model.inplace_predict(batch)
        count += 1
    return (time.perf_counter() - start) / count


def main():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(4000, 20)).astype(np.float32)
    model = xgboost.train(PARAMETERS, xgboost.DMatrix(rows, label=(rng.random(4000) < 0.5)), 100)
    model.set_param({"nthread": 1})
    for n in (1, 200, 1000):
        print(n, statistics.median(seconds_per_call(model, rows[:n]) for _ in range(7)) * 1e6)


if __name__ == "__main__":
    main()
