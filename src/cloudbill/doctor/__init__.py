"""Checks what a load depends on: machine, store, warehouse, ledger, deliveries; reads only.

Pure: check, double_deliveries.
May import: costs, disk, exports, loading, looking, planning, retrying, settings, store, surveying,
text, warehouses, warehouses/bigquery.
"""
