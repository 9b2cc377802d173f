"""Trains on the rows of a feature set with Python's xgboost.

  bench/xgboost_train.py FEATURE_SET MODEL

FEATURE_SET is the folder of a feature set, MODEL that of a model that cartwheel has trained on it:
its parameters are used. Prints the last losses of both models, on training and validation rows.
"""

import json
import sys
from pathlib import Path

import duckdb
import numpy as np
import xgboost


def rows(path, names):
    """The rows of a file as a matrix, and their labels."""
    columns = duckdb.sql(f"SELECT * FROM '{path}'").fetchnumpy()
    values = np.empty((len(columns["label"]), len(names)), np.float32)
    for at, name in enumerate(names):
        values[:, at] = np.ma.filled(columns[name], np.nan)
    return xgboost.DMatrix(values, label=columns["label"], feature_names=names)


def main():
    feature_set, model = map(Path, sys.argv[1:])
    names = json.loads((feature_set / "schema.json").read_text())["features"]
    parameters = json.loads((model / "manifest.json").read_text())["parameters"]
    rounds = int(parameters.pop("num_round"))
    patience = int(parameters.pop("early_stopping_rounds"))
    train, valid = (rows(feature_set / f"{part}.parquet", names) for part in ("train", "valid"))
    losses = {}
    xgboost.train(
        parameters,
        train,
        rounds,
        evals=[(train, "train"), (valid, "validation")],
        early_stopping_rounds=patience,
        evals_result=losses,
        verbose_eval=False,
    )
    theirs = [losses[part]["logloss"][-1] for part in ("train", "validation")]
    ours = json.loads((model / "metrics.json").read_text())[len(losses["train"]["logloss"]) - 1]
    print(json.dumps({"ours": [value for _, value in ours["metrics"]], "theirs": theirs}))


if __name__ == "__main__":
    main()
