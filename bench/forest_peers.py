"""Scores the same rows with the same models: cartwheel's forest, XGBoost's C API and tl2cgen.

  bench/forest_peers.py SCORE [REPETITIONS]

SCORE is the example `score` of cartwheel-forest. Everything runs on one thread. Prints a line for
each repetition: trees, depth, rows, who, microseconds of a call. Fails if margins differ from
XGBoost's in any bit.
"""

import contextlib
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import tl2cgen
import treelite
import xgboost

FEATURES = 20
ROWS = 4000
# Trees, depth and the numbers of rows of a call.
CASES = [(100, 6, (1, 200, 1000)), (500, 7, (1, 1000))]
SECONDS = 0.15
# Compiling so many trees at once would take minutes.
TREES_A_FILE = 10


def trained(trees, depth, rng):
    """A model and the rows that it was trained on, of which one value in eight is missing."""
    rows = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    rows[rng.random(rows.shape) < 1 / 8] = np.nan
    parameters = {
        "max_depth": depth,
        "objective": "binary:logistic",
        "nthread": 1,
        "min_child_weight": 0,
        "eta": 0.3,
    }
    labels = rng.random(ROWS) < 0.5
    model = xgboost.train(parameters, xgboost.DMatrix(rows, label=labels), trees)
    model.set_param({"nthread": 1})
    return model, rows


def seconds_per_call(call):
    """The median of seven means over SECONDS of calls."""
    means = []
    for _ in range(7):
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            call()
            count += 1
        means.append((time.perf_counter() - start) / count)
    return statistics.median(means)


def xgboost_call(model, rows):
    """A call of XGBoosterPredictFromDense, and where it leaves the margins."""
    library = xgboost.core._LIB
    address, _ = rows.__array_interface__["data"]
    described = {"data": [address, True], "shape": rows.shape, "typestr": "<f4", "version": 3}
    values = json.dumps(described).encode()
    config = {"type": 1, "training": False, "iteration_begin": 0, "iteration_end": 0}
    config |= {"missing": float("nan"), "strict_shape": False, "cache_id": 0}
    config = json.dumps(config).encode()
    shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
    result = ctypes.POINTER(ctypes.c_float)()
    out = ctypes.byref(shape), ctypes.byref(dimensions), ctypes.byref(result)

    def call():
        code = library.XGBoosterPredictFromDense(model.handle, values, config, None, *out)
        if code != 0:
            raise RuntimeError(library.XGBGetLastError())

    return call, lambda: np.ctypeslib.as_array(result, shape=(len(rows),)).copy()


@contextlib.contextmanager
def printing_aside():
    """Sends what native code prints to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def compiled(model_file, folder):
    """The model as a library that tl2cgen and the C compiler make."""
    with printing_aside():
        model = treelite.frontend.load_xgboost_model(model_file)
        library = folder / "compiled.so"
        trees = {"parallel_comp": -(-model.num_tree // TREES_A_FILE)}
        tl2cgen.export_lib(model, toolchain="gcc", libpath=library, params=trees, nthread=2)
        return tl2cgen.Predictor(library, nthread=1)


def measure(score, trees, depth, counts, repetitions):
    rng = np.random.default_rng(1)
    model, rows = trained(trees, depth, rng)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        files = [str(folder / name) for name in ("model.json", "rows", "margins")]
        model.save_model(files[0])
        rows.tofile(files[1])
        predictor = compiled(files[0], folder)
        for _ in range(repetitions):
            command = [score, *files, *map(str, counts)]
            ours = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            for line in ours.splitlines():
                count, us = line.split()
                print(trees, depth, count, "cartwheel", us, flush=True)
            for count in counts:
                call, _ = xgboost_call(model, rows[:count])
                print(trees, depth, count, "xgboost", seconds_per_call(call) * 1e6, flush=True)
                batch = tl2cgen.DMatrix(rows[:count])
                call = partial(predictor.predict, batch, pred_margin=True)
                us = seconds_per_call(call) * 1e6
                print(trees, depth, count, "tl2cgen", us, flush=True)
        call, margins = xgboost_call(model, rows)
        call()
        if margins().tobytes() != Path(files[2]).read_bytes():
            sys.exit(f"margins of {trees} trees differ from XGBoost's")


def main():
    score = sys.argv[1]
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for trees, depth, counts in CASES:
        measure(score, trees, depth, counts, repetitions)


if __name__ == "__main__":
    main()
