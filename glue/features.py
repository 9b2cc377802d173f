"""The feature job on Spark: shuffles the lake's rows by user and pipes them through cartwheel-worker.

The worker computes every value, with the code of the local job; this file only moves rows.
Phases (docs/features-on-spark.md):

    fold      a partition of complete users -> user records and one partial
    merge     16 partials -> one, until one is left -> catalogues, gate users, examples
    assemble  examples -> training rows, in one task, since the examples are a bounded sample

A feature set is the files under features/<version>/; manifest.json is written last.
"""

import argparse
import hashlib
import itertools
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import SparkFiles, StorageLevel, TaskContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

ORDERS = (
    "user_id string, eval_set string, order_number int, order_dow int, order_hour_of_day int, "
    "days_since_prior_order float, ordered_at_ms bigint"
)
LINES = "user_id string, order_number int, product_id string, add_to_cart_order int, reordered int"
PRODUCTS = "product_id string, product_name string, aisle string, department string"
EVENTS = (
    "user_id string, event string, event_id string, received_at_ms bigint, product_ids array<string>, "
    "quantities array<int>, anonymous_id string, query string"
)
BASKETS = "basket_id string, event string, product_ids array<string>, ordered_at_ms bigint"
# Columns of the worker's input and, below, of its output.
ROWS = (
    "user_id string, kind tinyint, order_number int, eval_set string, order_dow int, "
    "order_hour_of_day int, days_since_prior_order float, ordered_at_ms bigint, "
    "product_id string, add_to_cart_order int, reordered int, event_id string, "
    "received_at_ms bigint, product_ids array<string>, quantities array<int>, query string"
)
PIECES = "kind string, key string, seq int, value binary"
ORDER, LINE, CHECKOUT, RETURN, BASKET = 0, 1, 2, 3, 4
# What an event does to its products, if it has any; an update of the cart puts all of them into the cart.
KINDS = {
    "checkout": CHECKOUT,
    "return": RETURN,
    "view": 5,
    "add_to_cart": 6,
    "update_cart": 6,
    "remove_from_cart": 7,
    "search": 8,
}
# The users whose erasure is not complete. The lake may still hold them.
ERASURES = "erasures/pending.json"
# Partials that one task merges.
GROUP = 16
# Length of the end of the worker's stderr that an error quotes, in characters.
STDERR = 8000


class WorkerError(Exception):
    """The worker failed; Spark retries the task."""


def through(worker, arguments):
    """Returns a function for mapInArrow that pipes a partition through the worker.

    An argument @NAME becomes the path of the file NAME that Spark distributed. Partials get the
    number of their partition as their key, which distinguishes them when they are merged.
    """

    def run(batches):
        first = next(batches, None)
        if first is None:
            return
        path = SparkFiles.get(worker)
        # Files that Spark distributes lose their execute permission.
        Path(path).chmod(0o755)
        process = subprocess.Popen(
            [path] + [SparkFiles.get(a[1:]) if a.startswith("@") else a for a in arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        stderr, input_errors = [""], []

        def feed():
            try:
                with pa.ipc.new_stream(process.stdin, first.schema) as stream:
                    stream.write_batch(first)
                    for batch in batches:
                        stream.write_batch(batch)
                process.stdin.close()
            except OSError:
                pass  # The worker ended before its input did; its exit status is reported below.
            except Exception as error:  # Spark could not compute the input.
                input_errors.append(error)
                process.kill()

        def collect_stderr():
            for line in process.stderr:
                stderr[0] = (stderr[0] + line.decode(errors="replace"))[-STDERR:]

        threads = [threading.Thread(target=work, daemon=True) for work in (feed, collect_stderr)]
        for thread in threads:
            thread.start()
        invalid = None
        try:
            partition = str(TaskContext.get().partitionId())
            try:
                for batch in pa.ipc.open_stream(process.stdout):
                    yield keyed(batch, partition)
            except pa.ArrowException as error:
                invalid = error
            status = process.wait()
            for thread in threads:
                thread.join()
            if input_errors:
                raise input_errors[0]
            if status != 0 or invalid:
                ended = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
                wrote = f" and its output is not an Arrow stream ({invalid})" if invalid else ""
                raise WorkerError(f"{worker} {arguments[0]} {ended}{wrote}: {stderr[0].strip()}")
        finally:
            # Spark may stop reading before the output ends.
            process.kill()
            process.wait()

    return run


def keyed(batch, partition):
    """A batch of pieces whose partials have the partition as their key."""
    partial = pc.equal(batch.column("kind"), "partial")
    key = pc.if_else(partial, partition, batch.column("key"))
    return pa.RecordBatch.from_arrays(
        [batch.column("kind"), key, batch.column("seq"), batch.column("value")],
        names=["kind", "key", "seq", "value"],
    )


class Lake:
    """Files below a root that Hadoop can access: s3://bucket or a directory."""

    def __init__(self, spark, root):
        self.root = root.rstrip("/")
        self._jvm = spark._jvm
        path = self._path("")
        self._files = path.getFileSystem(spark._jsc.hadoopConfiguration())
        # Local directories would get a checksum file beside each file.
        self._files.setWriteChecksum(False)

    def at(self, name):
        return f"{self.root}/{name}"

    def _path(self, name):
        return self._jvm.org.apache.hadoop.fs.Path(self.at(name))

    def has(self, name):
        return self._files.exists(self._path(name))

    def json(self, name):
        stream = self._files.open(self._path(name))
        try:
            return json.loads(bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(stream)))
        finally:
            stream.close()

    def write(self, name, pieces):
        stream = self._files.create(self._path(name), True)
        try:
            for piece in pieces:
                stream.write(bytearray(piece))
        finally:
            stream.close()


def erasures(lake):
    """Returns the time of each erasure that is not complete, by user, and how many the lake has completed."""
    if not lake.has(ERASURES):
        return {}, 0
    found = lake.json(ERASURES)
    return {user: erasure["erased_at_ms"] for user, erasure in found["pending"].items()}, found["cleaned"]


def without(rows, erased, time=None):
    """Rows without those of erased users. Of rows with a time, those after the erasure stay."""
    if not erased:
        return rows
    users = rows.sparkSession.createDataFrame(list(erased.items()), "user_id string, erased_at_ms bigint")
    kept = f.col("erased_at_ms").isNull()
    if time is not None:
        kept |= f.col(time) > f.col("erased_at_ms")
    columns = rows.columns
    return rows.join(f.broadcast(users), "user_id", "left").where(kept).select(*columns)


def rows(lake, spark, erased):
    """Returns the rows of all users but the erased, and the products table, extended by ids that occur only
    in checkouts."""
    parts, events = [], []
    products = spark.createDataFrame([], PRODUCTS)
    if lake.has("imports/current.json"):
        manifest = lake.json("imports/current.json")

        def table(name, schema):
            paths = [lake.at(part) for part in manifest.get(name, [])]
            return spark.read.schema(schema).parquet(*paths) if paths else spark.createDataFrame([], schema)

        parts.append(without(table("orders", ORDERS), erased).withColumn("kind", f.lit(ORDER)))
        parts.append(without(table("order_products", LINES), erased).withColumn("kind", f.lit(LINE)))
        products = table("products", PRODUCTS)
        events.append(table("events", EVENTS))
        # The purchase of an unknown customer is a row of its own: it has no user.
        baskets = table("baskets", BASKETS).where("event = 'checkout'")
        first = f.min(f.struct("ordered_at_ms", "product_ids")).alias("first")
        baskets = baskets.groupBy("basket_id").agg(first)
        columns = [f.col("basket_id").alias("user_id"), f.col("first.ordered_at_ms").alias("received_at_ms")]
        baskets = baskets.select(*columns, "first.product_ids")
        parts.append(baskets.withColumn("kind", f.lit(BASKET)))
    if lake.has("events"):
        # A writer that is killed leaves files with other names, and an import folders that no manifest names.
        delivered = spark.read.schema(EVENTS).option("pathGlobFilter", "*.parquet")
        delivered = delivered.option("recursiveFileLookup", True).parquet(lake.at("events"))
        events.append(delivered.where(~f.input_file_name().contains("/import=")))
    bought = spark.createDataFrame([], "product_id string")
    if events:
        every = events[0]
        for more in events[1:]:
            every = every.unionByName(more)
        every = without(every, erased, "received_at_ms")
        kinds = with_owners(every.where(f.col("event").isin(*KINDS)), every)
        # Delivery may repeat an event; the first occurrence counts.
        first = f.struct("received_at_ms", "product_ids", "quantities", "event", "query")
        first = f.min(first).alias("first")
        actions = kinds.groupBy("user_id", "event_id").agg(first)
        actions = actions.select("user_id", "event_id", "first.*")
        sold = actions.where("event = 'checkout'")
        bought = sold.select(f.explode("product_ids").alias("product_id")).distinct()
        numbers = f.create_map(*[f.lit(part) for item in KINDS.items() for part in item])
        parts.append(actions.withColumn("kind", numbers[f.col("event")]))
    if not parts:
        raise SystemExit(f"{lake.root} holds neither an import nor events; import orders first")
    shaped = []
    for part in parts:
        fields = [field.strip().split(" ", 1) for field in ROWS.split(",")]
        columns = [
            (f.col(name) if name in part.columns else f.lit(None)).cast(kind).alias(name)
            for name, kind in fields
        ]
        shaped.append(part.select(columns))
    every = shaped[0]
    for part in shaped[1:]:
        every = every.unionByName(part)
    unnamed = bought.join(products, "product_id", "left_anti")
    nothing = [f.lit(None).cast("string").alias(n) for n in ("product_name", "aisle", "department")]
    return every, products.unionByName(unnamed.select("product_id", *nothing))


def with_owners(rows, events):
    """Rows whose guests that turned out to be users are replaced by those users.

    A guest's row belongs to the user of the newest tie until then; a row before the first tie, to
    the user of the first. `Ties` of cartwheel-lake says the same for one machine.
    """
    tie = f.struct(f.col("received_at_ms").alias("tied_ms"), f.col("user_id").alias("user")).alias("tie")
    guest = f.concat(f.lit("~"), "anonymous_id").alias("user_id")
    ties = events.where("anonymous_id is not null").select(guest, tie).distinct()
    until = f.max(f.when(f.col("tie.tied_ms") <= f.col("received_at_ms"), f.col("tie")))
    owner = f.coalesce(until, f.min("tie")).alias("owner")
    owned = rows.join(ties, "user_id").groupBy(*rows.columns).agg(owner)
    owned = owned.withColumn("user_id", f.col("owner.user")).select(*rows.columns)
    return (
        rows.join(ties.select("user_id").distinct(), "user_id", "left_anti")
        .select(*rows.columns)
        .union(owned)
    )


def put_products(spark, products):
    """Distributes the products table to every task and returns the name of its file."""
    columns = [field.strip().split(" ")[0] for field in PRODUCTS.split(",")]
    found = products.select(*columns).collect()
    table = pa.table({c: pa.array([row[c] for row in found], pa.string()) for c in columns})
    table = table.sort_by("product_id")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    data = sink.getvalue()
    # A session never replaces a distributed file, so that the name has to depend on the content.
    name = f"products-{hashlib.sha256(data).hexdigest()[:16]}.arrow"
    path = Path(tempfile.mkdtemp(), name)
    path.write_bytes(data)
    spark.sparkContext.addFile(str(path))
    return name


def build(spark, options):
    """Builds the feature set of a run, unless it exists, and returns its version."""
    lake = Lake(spark, options.lake)
    digest = hashlib.sha256(options.run.encode()).hexdigest()
    version = f"fs-{digest[:16]}"
    named = json.dumps({"feature_set": version}).encode()
    if lake.has(f"features/{version}/manifest.json"):
        lake.write(f"features/runs/{options.run}.json", [named])
        return version

    erased, completed = erasures(lake)
    every, products = rows(lake, spark, erased)
    worker = Path(options.worker).name
    spark.sparkContext.addFile(options.worker)
    job = ["--products", "@" + put_products(spark, products)]
    for name in (
        "timezone",
        "label_orders",
        "max_examples",
        "min_gate_users",
        "label",
        "without",
        "unlearned",
        "search",
        "seed",
    ):
        # What is not given is left to the worker's defaults, which are the local job's.
        if (value := getattr(options, name)) is not None:
            job += ["--" + name.replace("_", "-"), str(value)]

    count = options.partitions or max(GROUP, spark.sparkContext.defaultParallelism * 4)
    # Sorting puts the rows of a user together; the worker orders them itself.
    parted = every.repartition(count, "user_id").sortWithinPartitions("user_id")
    folded = parted.mapInArrow(through(worker, ["fold", *job]), PIECES)
    # Kept on the executors' disks, since it is read twice.
    folded = folded.persist(StorageLevel.DISK_ONLY)
    users = folded.where("kind = 'user'").selectExpr("key as user_id", "value as record")
    users = users.write.option("compression", "zstd").mode("overwrite")
    users.parquet(lake.at(f"features/{version}/users"))

    # From here on a row is a piece of up to 8 MiB.
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 16)
    partials = folded.where("kind = 'partial'")
    while count > GROUP:
        count = -(-count // GROUP)
        partials = partials.repartition(count, "key").sortWithinPartitions("key", "seq")
        partials = partials.mapInArrow(through(worker, ["merge", *job]), PIECES)
    finished = partials.repartition(1).sortWithinPartitions("key", "seq")
    finished = finished.mapInArrow(through(worker, ["merge", "--finish", *job]), PIECES)
    finished = finished.persist(StorageLevel.DISK_ONLY)
    taken = finished.where("kind = 'assembly' or key like 'catalogue_others_%'")
    taken = taken.repartition(1).sortWithinPartitions("kind", "key", "seq")
    assemble = ["assemble", "--version", version, "--erasures", str(completed), *job]
    assembled = taken.mapInArrow(through(worker, assemble), PIECES)

    for source in (finished, assembled):
        # One partition holds the pieces of each file in order. The manifest comes last: a
        # feature set without a manifest does not exist.
        pieces = source.where("kind = 'file'").toLocalIterator()
        for name, rows_of in itertools.groupby(pieces, key=lambda row: row.key):
            lake.write(f"features/{version}/{name}", (row.value for row in rows_of))
    lake.write(f"features/runs/{options.run}.json", [named])
    for kept in (finished, folded):
        kept.unpersist()
    return version


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", required=True, help="s3://bucket, or a directory")
    parser.add_argument("--run", required=True, help="name of the run; a run that exists is not built again")
    parser.add_argument("--max-examples", type=int)
    parser.add_argument("--min-gate-users", type=int)
    parser.add_argument("--label-orders", type=int)
    parser.add_argument("--label", help="as train.label of the settings; default: auto")
    parser.add_argument("--without", help="sources to switch off, separated by commas")
    parser.add_argument(
        "--unlearned", help="subjects that the model does not learn from, separated by commas"
    )
    parser.add_argument("--search", help="as train.search of the settings; default: quick")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--timezone")
    parser.add_argument("--partitions", type=int, help="partitions of users; default: four per core")
    parser.add_argument("--worker", default="cartwheel-worker", help="path of cartwheel-worker")
    # Glue adds arguments of its own.
    return parser.parse_known_args(arguments)[0]


def main(arguments):
    options = parse(arguments)
    spark = SparkSession.builder.appName("cartwheel-features").getOrCreate()
    print(json.dumps({"version": build(spark, options)}))


if __name__ == "__main__":
    main(sys.argv[1:])
