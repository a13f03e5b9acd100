"""What the parts of a run contain, read with DuckDB or pyarrow for any warehouse.

Pure: columns, decimals, duckdb_types, json_text.
May import: costs, disk, exports, providers, store, text.
"""
