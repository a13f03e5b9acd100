"""Checks what a load depends on: machine, store, warehouse, ledger, deliveries; reads only.

Only the modules `smoke*` write: they try the real BigQuery in a dataset and a folder of their own,
which they remove. `smoke` runs the points that the other ones hold.

Pure: check, double_deliveries.
May import: costs, disk, exports, focus, loading, looking, pipeline, planning, providers, sample,
settings, store, surveying, text, warehouses, warehouses/bigquery, warehouses/duckdb.
"""
