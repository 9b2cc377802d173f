"""A CSV file of order lines, and DuckDB's import of it.

    duckdb_import.py generate CSV ROWS
    duckdb_import.py import CSV OUT

The import does what cartwheel's does with the lines: it puts those of an order together, with
lists of products, pieces and prices, and writes Parquet by customer.
"""

import os
import sys

import duckdb

# Four lines in an order, 20,000 products of which few sell often, a year of orders.
GENERATE = """
    COPY (
        SELECT n // 4 AS order_id, 'c' || hash(n // 4) % (SELECT greatest({rows} // 40, 10)) AS customer,
            'sku-' || lpad(((hash(n) % 10007 / 10007.0) ** 2 * 20000)::int::text, 5, '0') AS sku,
            strftime(TIMESTAMP '2025-01-01' + INTERVAL 1 SECOND * (hash(n // 4 + 7) % 31000000)::int,
                '%Y-%m-%d %H:%M:%S') AS time,
            1 + hash(n + 1) % 3 AS qty, printf('%.2f', hash(n + 2) % 9900 / 100.0) AS price
        FROM range({rows}) AS lines(n)
    ) TO '{csv}' (HEADER)"""
IMPORT = """
    COPY (
        SELECT customer, order_id, min(time) AS ordered_at, list(sku) AS skus, list(qty) AS quantities,
            list(price) AS prices
        FROM read_csv('{csv}') GROUP BY ALL ORDER BY customer, ordered_at
    ) TO '{out}/orders.parquet' (FORMAT parquet, COMPRESSION zstd)"""


def main():
    what, csv, argument = sys.argv[1:]
    db = duckdb.connect()
    db.execute(f"SET threads = {os.cpu_count()}")
    if what == "generate":
        db.execute(GENERATE.format(csv=csv, rows=int(argument)))
    else:
        # Lists may come in any order; cartwheel keeps that of the lines.
        db.execute(IMPORT.format(csv=csv, out=argument))


if __name__ == "__main__":
    main()
