"""A DuckDB script that replaces a month by parts of a Data Export: DATABASE MANIFEST PARTS... .

It stores doubles as doubles and maps as maps, or their text where the parts are CSV: nothing is
made exact, sorted or compared. The table is made where there is none, so the first run loads and
every further one replaces.
"""

import json
import sys
from pathlib import Path

import duckdb

TYPES = {"double": "DOUBLE"}

database, manifest, *parts = sys.argv[1:]
connection = duckdb.connect(database)
connection.execute("SET memory_limit = '1GB'")
connection.execute("SET preserve_insertion_order = false")
connection.execute("SET TimeZone = 'UTC'")
parameters: dict[str, object] = {"parts": parts}
read = "read_parquet($parts, union_by_name = true)"
columns = json.loads(Path(manifest).read_text())["columns"]
if parts[0].endswith(".csv.gz"):
    read = "read_csv($parts, columns = $columns, header = true, auto_detect = false)"
    parameters["columns"] = {
        one["name"]: "TIMESTAMP"
        if one["type"].startswith("timestamp")
        else TYPES.get(one["type"], "VARCHAR")
        for one in columns
    }
names = {one["name"] for one in columns}
period = next(
    name for name in ("bill_billing_period_start_date", "BillingPeriodStart") if name in names
)
connection.execute(f"CREATE TABLE IF NOT EXISTS bill AS FROM {read} LIMIT 0", parameters)
connection.execute("BEGIN")
connection.execute(f"DELETE FROM bill WHERE {period} >= '2025-10-01' AND {period} < '2025-11-01'")  # noqa: S608
connection.execute(f"INSERT INTO bill BY NAME FROM {read}", parameters)
connection.execute("COMMIT")
connection.close()
