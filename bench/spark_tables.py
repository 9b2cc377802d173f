"""The feature job's user, product and user-product tables, made by Spark on this machine.

    spark_tables.py MANIFEST OUT

MANIFEST is the lake's imports/current.json. Prints the seconds after Spark has started, and two sums
that keep the work from being optimised away.
"""

import json
import os
import sys
import time
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

# Without it, tables as large as these are cached and shuffled through the disk time and again.
MEMORY = "4g"


def up(lines):
    """What each user bought of each product."""
    return lines.groupBy("user_id", "product_id").agg(
        f.count("*").alias("up_order_count"),
        f.min("order_number").alias("up_first_order_number"),
        f.max("order_number").alias("up_last_order_number"),
        f.avg("add_to_cart_order").alias("up_avg_cart_position"),
        f.sum(f.col("reordered").cast("long")).alias("reordered"),
    )


def users(orders, lines):
    days = f.coalesce("days_since_prior_order", f.lit(0))
    of_orders = orders.groupBy("user_id").agg(
        f.max("order_number").alias("user_orders"),
        f.sum(days).alias("user_periods"),
        f.avg(days).alias("user_mean_days_since_prior"),
    )
    reordered = f.sum(f.col("reordered").cast("long"))
    later = f.sum((f.col("order_number") > 1).cast("long"))
    of_lines = lines.groupBy("user_id").agg(
        f.count("*").alias("user_products"),
        f.countDistinct("product_id").alias("user_distinct_products"),
        (reordered / f.nullif(later, f.lit(0))).alias("user_reorder_ratio"),
    )
    return of_orders.join(of_lines, "user_id")


def products(pairs):
    return pairs.groupBy("product_id").agg(
        f.sum("up_order_count").alias("prod_orders"),
        f.sum("reordered").alias("prod_reorders"),
        f.count("*").alias("prod_first_orders"),
        f.sum((f.col("up_order_count") > 1).cast("long")).alias("prod_second_orders"),
    )


def main():
    manifest, out = Path(sys.argv[1]), Path(sys.argv[2])
    lake, parts = manifest.parent.parent, json.loads(manifest.read_text())
    cores = os.cpu_count()
    spark = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.driver.memory", MEMORY)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.local.dir", str(out))
        .config("spark.sql.shuffle.partitions", str(8 * cores))
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(1).count()

    def read(table):
        return spark.read.parquet(*(str(lake / part) for part in parts[table]))

    start = time.time()
    orders = read("orders").where("eval_set <> 'test'")
    lines = read("order_products").join(orders.select("order_id"), "order_id", "left_semi")
    up(lines).write.parquet(f"{out}/up")
    users(orders, lines).write.parquet(f"{out}/u")
    products(spark.read.parquet(f"{out}/up")).write.parquet(f"{out}/p")
    seconds = time.time() - start
    made = spark.read.parquet(f"{out}/u")
    checks = made.agg(f.sum("user_products"), f.count("*")).first()
    print(json.dumps({"seconds": seconds, "checks": list(checks)}))
    spark.stop()


if __name__ == "__main__":
    main()
