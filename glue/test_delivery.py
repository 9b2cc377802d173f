"""What Firehose makes of the records of a server, by the columns of the Glue catalogue, read back by Spark.

Firehose reads a record's JSON by the table's columns and writes Parquet: it drops other fields, a field that
is missing becomes null, and a value that its column cannot hold fails the record. Spark does the same
with the columns as its schema and the mode FAILFAST.

scripts/test-spark runs the tests and sets CARTWHEEL_BIN.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
from test_features import spark

BINARY = os.environ["CARTWHEEL_BIN"]
TABLES = Path(__file__).resolve().parent.parent / "infra/modules/delivery/tables.tf"
EVENTS = [
    {"user_id": "7", "event": "view", "product_ids": ["12"], "country": "DE", "timestamp": 1_790_000_000_000},
    {
        "anonymous_id": "a-1",
        "event": "add_to_cart",
        "items": [{"product_id": "é", "quantity": 2, "price": 4}, {"product_id": "13"}],
        "session_id": "s",
    },
    {"user_id": "7", "event": "search", "query": 'café "au\\ lait"', "source": "web"},
    {"user_id": "7", "anonymous_id": "a-1", "event": "identify"},
    {"user_id": "7", "event": "checkout"},
]
# Parts of records that carry a guest's cart over to a user. Sessions read them in the stream; the lake has
# no columns for them.
WITHOUT_COLUMN = {"carried", "tied"}


def columns(table):
    """The columns of a delivered table, as a schema of Spark."""
    text = TABLES.read_text()
    block = re.search(rf"^    {table} = \[\n(.*?)^    \]", text, re.DOTALL | re.MULTILINE)[1]
    return dict(re.findall(r'\["(\w+)", "(.+?)"\]', block))


class Server:
    def __init__(self, data):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{address}"
        command = [BINARY, "--data-dir", data, "serve", "--listen", address]
        self.child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        start = time.time()
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/healthz", timeout=1).close()
                return
            assert time.time() - start < 60 and self.child.poll() is None, "the server does not start"
            time.sleep(0.05)

    def send(self, method, path, body):
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(timeout=60)


def records_of_a_server():
    """Events and impressions as they are in the stream, a line of JSON each."""
    with tempfile.TemporaryDirectory() as data:
        server = Server(data)
        try:
            server.send("PUT", "/v1/products/12", {"name": "Coffee", "price": "3.50"})
            stored = server.send("POST", "/v1/events", EVENTS)
            assert stored["failed_count"] == 0, stored
            answer = server.send("POST", "/v1/recommendations", {"user_id": "7"})
            assert answer["recommendations"], answer
        finally:
            server.stop()
        tail = [BINARY, "--data-dir", data, "--json", "stream", "tail"]
        lines = subprocess.run(tail, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [json.loads(line)["record"] for line in lines]
    return {
        "events": [record for record in found if "event" in record],
        "impressions": [record for record in found if "shown" in record],
    }


def as_stored(value):
    """A value of Parquet in the form of a record: structures without their missing fields."""
    if isinstance(value, dict):
        return {name: as_stored(inner) for name, inner in value.items() if inner is not None}
    return [as_stored(inner) for inner in value] if isinstance(value, list) else value


class Delivery(unittest.TestCase):
    def test_records_convert_by_the_columns_of_the_catalogue(self):
        session = spark()
        self.addCleanup(session.stop)
        for table, records in records_of_a_server().items():
            with self.subTest(table=table), tempfile.TemporaryDirectory() as folder:
                self.assertTrue(records)
                schema = columns(table)
                lines = session.sparkContext.parallelize([json.dumps(record) for record in records], 1)
                read = session.read.schema(", ".join(f"{name} {kind}" for name, kind in schema.items()))
                read.option("mode", "FAILFAST").json(lines).write.parquet(f"{folder}/{table}")
                back = session.read.parquet(f"{folder}/{table}")
                self.assertEqual({field: kind.replace(" ", "") for field, kind in back.dtypes}, schema)
                stored = [as_stored(row) for row in pq.read_table(f"{folder}/{table}").to_pylist()]
                for record, row in zip(records, stored, strict=True):
                    kept = {name: value for name, value in record.items() if name in schema}
                    self.assertEqual(row, kept)
                    self.assertLessEqual(set(record) - set(schema), WITHOUT_COLUMN)

    def test_a_value_that_its_column_cannot_hold_fails(self):
        session = spark()
        self.addCleanup(session.stop)
        lines = session.sparkContext.parallelize(['{"received_at_ms": "yesterday"}'])
        read = session.read.schema("received_at_ms bigint").option("mode", "FAILFAST").json(lines)
        with self.assertRaises(Exception):  # noqa: B017, Spark raises one of its own for Java's
            read.collect()


if __name__ == "__main__":
    unittest.main()
