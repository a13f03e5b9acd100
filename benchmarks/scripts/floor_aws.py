"""The best DuckDB script that replaces a month by gzipped CSV parts: DATABASE MANIFEST PARTS... .

Every column has its type from the manifest, so that nothing is sniffed, and money is decimal.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import duckdb

TYPES = {
    "BigDecimal": "DECIMAL(38,18)",
    "OptionalBigDecimal": "DECIMAL(38,18)",
    "DateTime": "TIMESTAMP",
}
# Numbers to the manifest, but text such as 'NA' to some products.
database, manifest, *parts = sys.argv[1:]
seen: Counter[str] = Counter()
columns: dict[str, str] = {}
for column in json.loads(Path(manifest).read_text())["columns"]:
    name = f"{column['category']}/{column['name']}"
    seen[name.lower()] += 1
    if seen[name.lower()] > 1:
        name = f"{name}_{seen[name.lower()] - 1}"
    columns[name] = TYPES.get(column["type"], "VARCHAR")

connection = duckdb.connect(database)
connection.execute("SET memory_limit = '1GB'")
connection.execute("SET preserve_insertion_order = false")
connection.execute("SET TimeZone = 'UTC'")
declared = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
relation = (
    f"read_csv($parts, columns = {{{declared}}}, header = true, auto_detect = false, "
    "delim = ',', quote = '\"', escape = '\"', compression = 'gzip')"
)
made = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
connection.execute(f"CREATE TABLE IF NOT EXISTS bill ({made})")
connection.execute("BEGIN")
connection.execute(
    "DELETE FROM bill WHERE \"bill/BillingPeriodStartDate\" >= '2025-10-01' "
    "AND \"bill/BillingPeriodStartDate\" < '2025-11-01'"
)
connection.execute(
    f"INSERT INTO bill SELECT * FROM {relation}",  # noqa: S608 our own
    {"parts": parts},
)
connection.execute("COMMIT")
connection.close()
