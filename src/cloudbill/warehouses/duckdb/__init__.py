"""DuckDB the warehouse: months replaced in one transaction.

May import: costs, disk, files, providers, retrying, settings, spool, store, warehouses.
"""
