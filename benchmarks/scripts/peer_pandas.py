"""A month of Parquet parts into DuckDB by pandas: DATABASE FOLDER."""

import sys
from pathlib import Path

import duckdb
import pandas as pd  # type: ignore[import-untyped]

database, folder = sys.argv[1:]
parts = sorted(Path(folder).rglob("*.parquet"))
frame = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
connection = duckdb.connect(database)
connection.execute("CREATE SCHEMA IF NOT EXISTS billing")
# Otherwise it takes the type of a decimal from a thousandth of the rows, and fails on larger ones.
connection.execute(f"SET pandas_analyze_sample = {len(frame)}")
connection.register("frame", frame)
connection.execute("CREATE OR REPLACE TABLE billing.bill AS SELECT * FROM frame")
connection.close()
