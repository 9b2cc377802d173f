"""Tests of the Spark job: its files equal those of the local job, and a failing worker fails the task.

scripts/test-spark runs them and sets CARTWHEEL_BIN and CARTWHEEL_WORKER.
"""

import io
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import features
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

BINARY = os.environ["CARTWHEEL_BIN"]
WORKER = os.environ["CARTWHEEL_WORKER"]
SAMPLE = os.environ.get("INSTACART_SAMPLE")
CORES = 2
DAY_MS = 86_400_000

# Files that have to be equal byte for byte. The manifests differ in the version only.
FILES = [
    "catalogue.bin",
    "catalogue_others_0.bin",
    "catalogue_others_1.bin",
    "catalogue_others_2.bin",
    "catalogue_others_3.bin",
    "catalogue_others_4.bin",
    "gate.bin",
    "histories.bin",
    "scaler.json",
    "features.json",
    "schema.json",
    "train.parquet",
    "train_keys.parquet",
    "valid.parquet",
    "valid_keys.parquet",
    "search_train.parquet",
    "search_valid.parquet",
]


def spark():
    session = SparkSession.builder.master(f"local[{CORES},3]").appName("test")
    session = session.config("spark.ui.enabled", False)
    session = session.config("spark.ui.showConsoleProgress", False)
    session = session.config("spark.sql.shuffle.partitions", 4)
    session = session.config("spark.driver.memory", "3g")
    session = session.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def run(data, *arguments):
    done = subprocess.run(
        [BINARY, "--data-dir", str(data), "--json", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=data,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def add_checkouts(lake):
    """Writes parts of `events` as the delivery writes them and as Firehose does, which has no columns
    for the position in the stream and repeats events."""
    orders = pq.read_table(next((lake / "orders").rglob("*.parquet")))
    users = sorted(set(orders.column("user_id").to_pylist()))[:40]
    last = max(t for t in orders.column("ordered_at_ms").to_pylist() if t is not None)

    def event(n, user, kind, products, query=None):
        return {
            "schema_version": 1,
            "event_id": f"e{n}",
            "user_id": user,
            "event": kind,
            "product_ids": products,
            "quantities": [1] * len(products),
            "prices": [None] * len(products),
            "query": query,
            "received_at_ms": last + (n % 9 + 1) * DAY_MS + n,
        }

    events = [event(n, user, "checkout", ["1", f"new-{n % 7}"]) for n, user in enumerate(users)]
    events += [event(n + 100, user, "checkout", ["2"]) for n, user in enumerate(users[::2])]
    events += [event(n + 200, user, "view", ["3"]) for n, user in enumerate(users)]
    texts = ["Milk", "dark Bread", "a", "7"]
    events += [event(n + 250, user, "search", [], texts[n % 4]) for n, user in enumerate(users)]
    events += [event(n + 300, "only-checkouts", "checkout", ["new-1", "4"]) for n in range(3)]
    for n, record in enumerate(events):
        record["shard"], record["sequence"] = n % 4, n
    schema = pa.schema(
        [
            ("schema_version", pa.int32()),
            ("event_id", pa.string()),
            ("user_id", pa.string()),
            ("event", pa.string()),
            ("product_ids", pa.list_(pa.string())),
            ("quantities", pa.list_(pa.int32())),
            ("prices", pa.list_(pa.float64())),
            ("query", pa.string()),
            ("received_at_ms", pa.int64()),
            ("shard", pa.int32()),
            ("sequence", pa.uint64()),
        ]
    )
    hour = lake / "events/year=2026/month=11/day=23"
    for name, part, columns in [
        ("hour=09/part-0000-00-20.parquet", events, schema.names),
        ("hour=10/firehose-1.parquet", events[5:25], schema.names[:-2]),
    ]:
        path = hour / name
        path.parent.mkdir(parents=True)
        table = pa.Table.from_pylist(part, schema).select(columns)
        # The later repetition of an event does not count.
        if "firehose" in name:
            later = pa.array([t + 5 for t in table.column("received_at_ms").to_pylist()])
            at = table.schema.get_field_index("received_at_ms")
            table = table.set_column(at, "received_at_ms", later)
        pq.write_table(table, path, compression="snappy" if "firehose" in name else "zstd")


def records(folder):
    """The records of a feature set of either form, by user."""
    if (folder / "users").is_dir():
        table = pq.read_table(folder / "users")
        pairs = zip(table.column("user_id").to_pylist(), table.column("record").to_pylist(), strict=True)
    else:
        dumped = subprocess.run([WORKER, "dump", folder / "users.bin"], capture_output=True, check=True)
        table = pa.ipc.open_stream(io.BytesIO(dumped.stdout)).read_all()
        pairs = zip(table.column("key").to_pylist(), table.column("value").to_pylist(), strict=True)
    pairs = list(pairs)
    found = dict(pairs)
    assert len(found) == len(pairs), "each user once"
    return found


class Built(unittest.TestCase):
    """Builds feature sets with both jobs."""

    maxDiff = 2000

    def options(self, lake, name, partitions, worker=WORKER, examples=400):
        return features.parse(
            [
                "--lake",
                str(lake),
                "--run",
                name,
                "--partitions",
                str(partitions),
                "--worker",
                str(worker),
                "--max-examples",
                str(examples),
                "--JOB_NAME",
                "glue's own",
            ]
        )

    def compare(self, data, examples=400, counts=(4,)):
        """Compares the feature sets of these counts of partitions with the local one."""
        lake = data / "lake"
        started = time.monotonic()
        manifest = run(data, "features", "--max-examples", examples)
        local_s = time.monotonic() - started
        local = lake / "features" / manifest["version"]
        rows = manifest["lines"] + manifest["orders"]
        took = {}
        for partitions in counts:
            started = time.monotonic()
            options = self.options(lake, f"run-{partitions}", partitions, examples=examples)
            version = features.build(spark(), options)
            took[partitions] = time.monotonic() - started
            there = lake / "features" / version
            for name in FILES:
                same = (local / name).read_bytes() == (there / name).read_bytes()
                self.assertTrue(same, f"{name} with {partitions} partitions")
            self.assertGreater(pq.read_metadata(there / "valid.parquet").num_rows, 0)
            self.assertEqual(records(local), records(there), f"users, {partitions} partitions")
            named = json.loads((there / "manifest.json").read_text())
            self.assertEqual(named.pop("version"), version)
            ours = dict(json.loads((local / "manifest.json").read_text()))
            ours.pop("version")
            # The checksums cover the versions.
            self.assertNotEqual(named.pop("crc32c"), ours.pop("crc32c"))
            self.assertEqual(named, ours)
            again = json.loads((lake / f"features/runs/run-{partitions}.json").read_text())
            self.assertEqual(again, {"feature_set": version})
        spark_s = took[4]
        print(
            f"\n{rows} rows: local {rows / local_s / CORES:,.0f} rows/s and core ({local_s:.1f} s), "
            f"Spark {rows / spark_s / CORES:,.0f} ("
            + ", ".join(f"{s:.1f} s with {n} partitions" for n, s in took.items())
            + ")"
        )
        return local


def history():
    """Orders with returns, as a shop exports them; every ninth order has no customer."""
    lines = ["order_id,customer,sku,qty,date"]
    for n in range(3000):
        customer = "" if n % 9 == 0 else f"c{n % 200}"
        day = f"2025-{n // 250 + 1:02}-{n % 28 + 1:02}"
        for product in {n % 31, n * 7 % 47, n % 200 % 13}:
            lines.append(f"o{n},{customer},p{product},{n % 3 + 1},{day}")
            if n % 11 == 3:
                lines.append(f"r{n},{customer},p{product},-{n % 2 + 1},{day}")
    return "\n".join(lines) + "\n"


class Jobs(Built):
    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp())
        cls.data = cls.dir / "shop"
        cls.data.mkdir()
        out = cls.data / "csv"
        run(cls.data, "generate", "--users", 700, "--products", 200, "--orders", 7000, "--out", out)
        run(cls.data, "import", "instacart", out)
        add_checkouts(cls.data / "lake")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def test_a_generated_shop_with_checkouts(self):
        local = self.compare(self.data, counts=(1, 4, 16))
        users = records(local)
        self.assertIn("only-checkouts", users)
        # The run exists, so that the worker, which would fail, is never started.
        options = self.options(self.data / "lake", "run-4", 4, worker="/bin/false")
        self.assertTrue(features.build(spark(), options).startswith("fs-"))

    def test_a_larger_shop(self):
        data = self.dir / "larger"
        data.mkdir()
        out = data / "csv"
        size = ["--users", 6000, "--products", 2000, "--orders", 90000]
        run(data, "generate", *size, "--out", out)
        run(data, "import", "instacart", out)
        self.compare(data, examples=200)

    def test_an_imported_history(self):
        data = self.dir / "history"
        data.mkdir()
        source = data / "orders.csv"
        source.write_text(history())
        imported = run(data, "import", "orders", source)
        self.assertGreater(imported["baskets"], 0)
        self.assertGreater(imported["assembled"]["returns_netted"], 0)
        # An import that was killed leaves parts that no manifest names.
        part = next((data / "lake/events").rglob("*.parquet"))
        orphan = data / "lake/events/import=0123456789abcdef/part-00000.parquet"
        orphan.parent.mkdir()
        shutil.copy(part, orphan)
        self.compare(data)

    def test_a_public_sample(self):
        if not SAMPLE:
            print("\nINSTACART_SAMPLE is not set: the public sample is left out")
            return
        data = self.dir / "sample"
        data.mkdir()
        run(data, "import", "instacart", SAMPLE)
        self.compare(data, examples=1000)

    def test_erased_users_are_left_out(self):
        lake = features.Lake(spark(), str(self.data / "lake"))
        self.assertEqual(features.erasures(lake), ({}, 0))
        everything = features.rows(lake, spark(), {})[0].select("user_id", "kind", "received_at_ms").collect()
        buyer = next(row.user_id for row in everything if row.kind == features.ORDER)
        times = sorted(row.received_at_ms for row in everything if row.user_id == "only-checkouts")
        self.assertEqual(len(times), 3)

        pending = {
            "only-checkouts": {"erased_at_ms": times[0]},
            buyer: {"erased_at_ms": times[-1] + 9 * DAY_MS},
        }
        listed = self.data / "lake" / features.ERASURES
        listed.parent.mkdir()
        self.addCleanup(shutil.rmtree, listed.parent)
        listed.write_text(json.dumps({"cleaned": 3, "pending": pending}))
        erased, completed = features.erasures(lake)
        self.assertEqual(completed, 3)
        left = features.rows(lake, spark(), erased)[0].select("user_id", "received_at_ms").collect()
        # What came after the erasure is a new history.
        later = sorted(row.received_at_ms for row in left if row.user_id == "only-checkouts")
        self.assertEqual(later, times[1:])
        gone = [row for row in everything if row.user_id == buyer]
        self.assertEqual(len(left), len(everything) - 1 - len(gone))

    def test_an_empty_lake_says_so(self):
        lake = self.dir / "empty"
        lake.mkdir()
        with self.assertRaisesRegex(SystemExit, "neither an import nor events"):
            features.build(spark(), self.options(lake, "r", 1))

    def worker(self, name, script):
        path = self.dir / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def fails(self, worker, pattern):
        options = self.options(self.data / "lake", f"run-{worker.name}", 2, worker=worker)
        with self.assertRaisesRegex(Exception, pattern):
            features.build(spark(), options)
        digest = features.hashlib.sha256(options.run.encode()).hexdigest()[:16]
        there = self.data / "lake/features" / f"fs-{digest}"
        self.assertFalse((there / "manifest.json").exists())

    def test_the_error_of_a_failing_worker_is_quoted(self):
        worker = self.worker("exits", "cat > /dev/null; echo 'the disk is full' >&2; exit 3")
        self.fails(worker, "exits fold exited with status 3.*: the disk is full")

    def test_a_worker_that_exits_at_once_fails_the_task(self):
        self.fails(
            self.worker("at-once", "echo early >&2; exit 1"), "at-once fold exited with status 1.*early"
        )

    def test_invalid_output_fails_the_task(self):
        worker = self.worker("invalid", "cat > /dev/null; echo this is not an Arrow stream")
        self.fails(worker, "invalid fold exited with status 0 and its output is not an Arrow stream")

    def test_a_worker_that_is_killed_fails_the_task(self):
        worker = self.worker("killed", "head -c 100 > /dev/null; kill -9 $$")
        self.fails(worker, "killed fold was killed by signal 9")

    def test_a_worker_out_of_memory_fails_the_task(self):
        worker = self.worker("memory", f'ulimit -v 20000; exec {WORKER} "$@"')
        self.fails(worker, "memory (fold|merge|assemble) (exited with|was killed)")

    def test_a_worker_that_fails_once_is_retried(self):
        marks = self.dir / "marks"
        marks.mkdir()
        once = f"mkdir {marks}/$1 2>/dev/null && {{ echo 'not yet' >&2; exit 1; }}"
        worker = self.worker("once", f'{once}\nexec {WORKER} "$@"')
        manifest = run(self.data, "features", "--max-examples", 400)
        options = self.options(self.data / "lake", "run-once", 3, worker=worker)
        version = features.build(spark(), options)
        self.assertEqual({p.name for p in marks.iterdir()}, {"fold", "merge", "assemble"})
        lake = self.data / "lake/features"
        self.assertEqual(records(lake / version), records(lake / manifest["version"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
