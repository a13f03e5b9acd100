"""What the parts of a run contain, read with DuckDB or pyarrow for any warehouse.

Pure: columns, decimals, duckdb_types.
May import: costs, disk, exports, providers, store.
"""
