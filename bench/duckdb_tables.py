"""The feature job's user, product and user-product tables, made by DuckDB.

    duckdb_tables.py MANIFEST OUT

MANIFEST is the lake's imports/current.json. Prints the seconds, and two sums that keep the work
from being optimised away.
"""

import json
import os
import sys
import time
from pathlib import Path

import duckdb

TABLES = {
    "up": """
        SELECT user_id, product_id, count(*) up_order_count,
            min(order_number) up_first_order_number, max(order_number) up_last_order_number,
            avg(add_to_cart_order) up_avg_cart_position, sum(reordered) reordered
        FROM l GROUP BY ALL""",
    "u": """
        SELECT * FROM (
            SELECT user_id, max(order_number) user_orders,
                sum(coalesce(days_since_prior_order, 0)) user_periods,
                avg(coalesce(days_since_prior_order, 0)) user_mean_days_since_prior
            FROM o GROUP BY ALL)
        JOIN (
            SELECT user_id, count(*) user_products, count(DISTINCT product_id) user_distinct_products,
                sum(reordered) / nullif(sum((order_number > 1)::int), 0) user_reorder_ratio
            FROM l GROUP BY ALL)
        USING (user_id)""",
    "p": """
        SELECT product_id, sum(up_order_count) prod_orders, sum(reordered) prod_reorders,
            count(*) prod_first_orders, sum((up_order_count > 1)::int) prod_second_orders
        FROM up GROUP BY ALL""",
}


def main():
    manifest, out = Path(sys.argv[1]), Path(sys.argv[2])
    lake, parts = manifest.parent.parent, json.loads(manifest.read_text())

    def files(table):
        return [str(lake / part) for part in parts[table]]

    db = duckdb.connect()
    db.execute(f"SET threads = {os.cpu_count()}")
    start = time.time()
    db.execute(f"CREATE VIEW o AS SELECT * FROM read_parquet({files('orders')!r}) WHERE eval_set <> 'test'")
    db.execute(
        f"CREATE VIEW l AS SELECT p.* FROM read_parquet({files('order_products')!r}) p "
        "SEMI JOIN o USING (order_id)"
    )
    for table, query in TABLES.items():
        db.execute(f"CREATE TABLE {table} AS {query}")
    for table in TABLES:
        db.execute(f"COPY {table} TO '{out}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    sums = db.execute("SELECT (SELECT sum(user_products) FROM u), (SELECT count(*) FROM u)")
    print(json.dumps({"seconds": time.time() - start, "checks": sums.fetchone()}))


if __name__ == "__main__":
    main()
