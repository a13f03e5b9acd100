"""A DuckDB script that replaces a month by Parquet parts with doubles: DATABASE PARTS... .

It makes decimals of the doubles by their shortest text, which is the one cast of DuckDB that is
exact. The table is made where there is none, so the first run loads and every further one replaces.
"""

import sys

import duckdb

database, *parts = sys.argv[1:]
connection = duckdb.connect(database)
connection.execute("SET memory_limit = '1GB'")
connection.execute("SET preserve_insertion_order = false")
connection.execute("SET TimeZone = 'UTC'")
columns = connection.execute(
    "DESCRIBE SELECT * FROM read_parquet($parts, union_by_name = true)", {"parts": parts}
).fetchall()
decimals = ", ".join(
    f'CAST(CAST("{name}" AS VARCHAR) AS DECIMAL(38,18)) AS "{name}"'
    for name, kind, *_ in columns
    if kind == "DOUBLE"
)
select = f"SELECT * REPLACE ({decimals}) FROM read_parquet($parts, union_by_name = true)"  # noqa: S608
connection.execute(f"CREATE TABLE IF NOT EXISTS bill AS {select} LIMIT 0", {"parts": parts})
connection.execute("BEGIN")
connection.execute(
    "DELETE FROM bill "
    "WHERE BillingPeriodStart >= '2025-10-01' AND BillingPeriodStart < '2025-11-01'"
)
connection.execute(f"INSERT INTO bill BY NAME {select}", {"parts": parts})
connection.execute("COMMIT")
connection.close()
