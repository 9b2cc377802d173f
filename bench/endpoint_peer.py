"""XGBoost behind Flask and gunicorn: the peer of bench/endpoint.py, written as one would by hand.

bench/endpoint_peer.py MODEL ADDRESS
"""

import json
import multiprocessing
import sys

import flask
import gunicorn.app.base
import numpy as np
import xgboost

app = flask.Flask(__name__)
booster = xgboost.Booster()


@app.get("/ping")
def ping():
    return ""


@app.post("/invocations")
def invocations():
    lines = flask.request.get_data(as_text=True).splitlines()
    rows = np.array([[cell or "nan" for cell in line.split(",")] for line in lines]).astype(float)
    scores = booster.predict(xgboost.DMatrix(rows), validate_features=False).tolist()
    if flask.request.headers.get("accept") == "application/json":
        text = json.dumps({"predictions": [{"score": score} for score in scores]})
        return flask.Response(text, mimetype="application/json")
    return flask.Response("".join(f"{score}\n" for score in scores), mimetype="text/csv")


class Server(gunicorn.app.base.BaseApplication):
    def __init__(self, model, address):
        self.model, self.address = model, address
        super().__init__()

    def load_config(self):
        self.cfg.set("bind", self.address)
        self.cfg.set("workers", multiprocessing.cpu_count())
        self.cfg.set("worker_class", "gevent")
        self.cfg.set("post_worker_init", self.read_model)

    def read_model(self, _):
        booster.load_model(self.model)
        booster.set_param({"nthread": 1})

    def load(self):
        return app


if __name__ == "__main__":
    Server(*sys.argv[1:]).run()
