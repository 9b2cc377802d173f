"""`cartwheel endpoint` beside XGBoost behind Flask and gunicorn, on the same model and rows.

By hand: bench/endpoint.py CARTWHEEL LOAD [--container ADDRESS], where ADDRESS is a running
SageMaker XGBoost container that serves `model.ubj` of the folder that is printed.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import xgboost
from figures import add, ratio
from servers import free_port
from serving import measure_load

HERE = Path(__file__).resolve().parent
FEATURES = 30
TREES = 100
CLIENTS = 8


class Scoring:
    """A server of a model that answers at /ping, ended with the block."""

    def __init__(self, command, address):
        self.address = address
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        start = time.time()
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://{self.address}/ping", timeout=1).close()
                return self
            assert time.time() - start < 60 and self.child.poll() is None, "the server does not start"
            time.sleep(0.02)

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait(timeout=30)


def cartwheel(program, model):
    address = f"127.0.0.1:{free_port()}"
    return Scoring([program, "endpoint", "--model", model, "--listen", address], address)


def gunicorn(model):
    """As the container starts it: a worker for each processor."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, HERE / "endpoint_peer.py", model, address]
    return Scoring(command, address)


def trained(work):
    """A model and a file of rows, of which one value in eight is missing."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2000, FEATURES)).astype(np.float32)
    rows[rng.random(rows.shape) < 1 / 8] = np.nan
    parameters = {"max_depth": 6, "objective": "binary:logistic", "nthread": 1, "eta": 0.3}
    data = xgboost.DMatrix(rows, label=rng.random(len(rows)) < 0.5)
    xgboost.train(parameters, data, TREES).save_model(work / "model.ubj")
    lines = (",".join("" if np.isnan(x) else repr(float(x)) for x in row) for row in rows)
    return work / "model.ubj", "".join(f"{line}\n" for line in lines).encode()


def answer(server, body, accept):
    headers = {"content-type": "text/csv", "accept": accept}
    request = urllib.request.Request(f"http://{server.address}/invocations", body, headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read()


def endpoint(program, load, work, repeats, seconds, container=None):
    model, rows = trained(work)
    if container:
        input(f"serve {model} at {container}, then press Enter")
    figures = {"ours": ([], []), "theirs": ([], [])}
    with cartwheel(program, model) as ours, gunicorn(model) as theirs:
        theirs.address = container or theirs.address
        for accept in ("text/csv", "application/json"):
            same = answer(ours, rows, accept) == answer(theirs, rows, accept)
            assert same, f"the answers differ ({accept})"
        for _ in range(repeats):
            for name, server in (("theirs", theirs), ("ours", ours)):
                found = measure_load(load, server, "score", CLIENTS, seconds, FEATURES)
                figures[name][0].append(found["per_second"])
                figures[name][1].append(found["p99_ms"])
    peer = "container" if container else "Flask and gunicorn"
    for at, unit, what, target in ((0, "/s", "scores", "≥ 50"), (1, "ms", "p99", "≤ 0.05")):
        mine = add("endpoint", f"cartwheel: {what}, {CLIENTS} clients", figures["ours"][at], unit)
        other = add("endpoint", f"{peer}: {what}", figures["theirs"][at], unit, peer=True)
        ratio("endpoint", f"{what}: cartwheel / {peer}", mine, other, f"target {target}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cartwheel")
    parser.add_argument("load")
    parser.add_argument("--container", metavar="ADDRESS")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        endpoint(args.cartwheel, args.load, Path(work), 3, 2, args.container)


if __name__ == "__main__":
    main()
