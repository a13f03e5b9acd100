"""The best DuckDB script that replaces a month by Parquet parts: DATABASE PARTS... .

The table is made where there is none, so the first run loads and every further one replaces.
"""

import sys

import duckdb

database, *parts = sys.argv[1:]
connection = duckdb.connect(database)
connection.execute("SET memory_limit = '1GB'")
connection.execute("SET preserve_insertion_order = false")
connection.execute("SET TimeZone = 'UTC'")
connection.execute(
    "CREATE TABLE IF NOT EXISTS bill AS "
    "SELECT * FROM read_parquet($parts, union_by_name = true) LIMIT 0",
    {"parts": parts},
)
connection.execute("BEGIN")
connection.execute(
    "DELETE FROM bill "
    "WHERE BillingPeriodStart >= '2025-10-01' AND BillingPeriodStart < '2025-11-01'"
)
connection.execute(
    "INSERT INTO bill BY NAME SELECT * FROM read_parquet($parts, union_by_name = true)",
    {"parts": parts},
)
connection.execute("COMMIT")
connection.close()
