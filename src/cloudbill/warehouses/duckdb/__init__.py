"""DuckDB as the warehouse: a month is replaced in one transaction.

May import: costs, files, providers, retrying, settings, spool, store, warehouses.
"""
